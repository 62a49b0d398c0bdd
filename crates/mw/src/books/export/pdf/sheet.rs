//! Pages of text and rules, set from the top down.

use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// A4, in points.
const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
/// The margins.
pub(super) const LEFT: f32 = 54.0;
pub(super) const RIGHT: f32 = WIDTH - 54.0;
const TOP: f32 = 64.0;
/// The lowest a line of the text may stand.
pub(super) const BOTTOM: f32 = HEIGHT - 62.0;

/// How text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    size: f32,
    bold: bool,
    /// 0 is black.
    grey: u8,
}

impl Style {
    pub(super) const LARGE: Self = Self { size: 16.0, bold: true, grey: 0 };
    pub(super) const BOLD: Self = Self { size: 9.5, bold: true, grey: 0 };
    pub(super) const TEXT: Self = Self { size: 9.5, bold: false, grey: 0 };
    pub(super) const SMALL: Self = Self { size: 7.5, bold: false, grey: 40 };
    pub(super) const QUIET: Self = Self { size: 7.5, bold: false, grey: 90 };
}

/// Something on a page.
enum Mark {
    Text { x: f32, y: f32, text: String, style: Style },
    Rule { y: f32, thick: f32 },
}

/// A face: its bytes as the document embeds them, and its widths.
struct Face {
    font: Font,
    widths: FontRef<'static>,
}

impl Face {
    fn new(bytes: &'static [u8]) -> Self {
        let widths = FontRef::new(bytes).expect("the font travels with the program");
        let font = Font::new(bytes.into(), 0).expect("the font travels with the program");
        Self { font, widths }
    }

    /// The glyphs of a text and where each begins in it, with widths in parts of an em.
    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let map = self.widths.charmap();
        let metrics = self.widths.glyph_metrics(Size::unscaled(), LocationRef::default());
        let em = self.font.units_per_em();
        let fallback = map.map('?').unwrap_or_default();
        text.char_indices()
            .map(|(start, letter)| {
                let glyph = map.map(letter).unwrap_or(fallback);
                let advance = metrics.advance_width(glyph).unwrap_or_default() / em;
                let range = start..start + letter.len_utf8();
                let id = GlyphId::new(glyph.to_u32());
                KrillaGlyph::new(id, advance, 0.0, 0.0, 0.0, range, None)
            })
            .collect()
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text).iter().map(|glyph| glyph.x_advance).sum::<f32>() * size
    }
}

/// Pages in the making.
pub(super) struct Sheet {
    regular: Face,
    bold: Face,
    pages: Vec<Vec<Mark>>,
    y: f32,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self {
            regular: Face::new(notosans::REGULAR_TTF),
            bold: Face::new(notosans::BOLD_TTF),
            pages: vec![Vec::new()],
            y: TOP,
        }
    }

    fn face(&self, style: Style) -> &Face {
        if style.bold { &self.bold } else { &self.regular }
    }

    fn mark(&mut self, mark: Mark) {
        self.pages.last_mut().expect("there is a first page").push(mark);
    }

    /// How far down the page it has come.
    pub(super) const fn at(&self) -> f32 {
        self.y
    }

    /// Goes down, on the same page.
    pub(super) const fn down(&mut self, by: f32) {
        self.y += by;
    }

    /// Begins another page where less than `height` is left on this one.
    pub(super) fn keep(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.pages.push(Vec::new());
            self.y = TOP;
        }
    }

    /// Text that begins at `x`.
    pub(super) fn left(&mut self, x: f32, text: &str, style: Style) {
        self.mark(Mark::Text { x, y: self.y, text: text.to_owned(), style });
    }

    /// Text that ends at `x`.
    pub(super) fn right(&mut self, x: f32, text: &str, style: Style) {
        let width = self.face(style).width(text, style.size);
        self.left(x - width, text, style);
    }

    /// Text that begins at `x` and is set smaller, and at last cut, to fit `width`.
    pub(super) fn fitted(&mut self, x: f32, width: f32, text: &str, style: Style) {
        let mut style = style;
        while style.size > 6.0 && self.face(style).width(text, style.size) > width {
            style.size -= 0.5;
        }
        let mut text = text.to_owned();
        if self.face(style).width(&text, style.size) > width {
            while !text.is_empty()
                && self.face(style).width(&format!("{text}…"), style.size) > width
            {
                text.pop();
            }
            text.push('…');
        }
        self.left(x, &text, style);
    }

    /// Text in lines between `x` and `right`, and goes below it.
    pub(super) fn paragraph(&mut self, x: f32, right: f32, text: &str, style: Style) {
        let mut line = String::new();
        let mut lines = Vec::new();
        for word in text.split_whitespace() {
            let longer =
                if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.face(style).width(&longer, style.size) <= right - x || line.is_empty()
            {
                line = longer;
            } else {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            }
        }
        lines.push(line);
        for line in lines {
            self.keep(style.size * 1.3);
            self.fitted(x, right - x, &line, style);
            self.down(style.size * 1.3);
        }
    }

    /// A line across the page.
    pub(super) fn rule(&mut self, thick: f32) {
        self.mark(Mark::Rule { y: self.y, thick });
    }

    /// The document's bytes, with a foot and a number on every page.
    pub(super) fn finish(mut self, title: &str, foot: &str) -> anyhow::Result<Vec<u8>> {
        let count = self.pages.len();
        let below = HEIGHT - 36.0;
        let style = Style::QUIET;
        for place in 0..count {
            let number = format!("page {} of {count}", place + 1);
            let x = RIGHT - self.regular.width(&number, style.size);
            let page = &mut self.pages[place];
            page.push(Mark::Text { x: LEFT, y: below, text: foot.to_owned(), style });
            page.push(Mark::Text { x, y: below, text: number, style });
        }
        let mut document = Document::new();
        let metadata = Metadata::new().title(title.to_owned()).language("en".to_owned());
        document.set_metadata(metadata);
        for marks in &self.pages {
            let settings =
                PageSettings::from_wh(WIDTH, HEIGHT).expect("a page has a size");
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for mark in marks {
                self.draw(&mut surface, mark);
            }
            surface.finish();
            page.finish();
        }
        document
            .finish()
            .map_err(|error| anyhow::anyhow!("a PDF cannot be made: {error:?}"))
    }

    fn draw(&self, surface: &mut Surface<'_>, mark: &Mark) {
        let fill =
            |grey| Fill { paint: luma::Color::new(grey).into(), ..Fill::default() };
        match mark {
            Mark::Text { x, y, text, style } => {
                surface.set_fill(Some(fill(style.grey)));
                let face = self.face(*style);
                let glyphs = face.glyphs(text);
                let start = Point::from_xy(*x, *y);
                let font = face.font.clone();
                surface.draw_glyphs(start, &glyphs, font, text, style.size, false);
            }
            Mark::Rule { y, thick } => {
                surface.set_fill(Some(fill(120)));
                let mut path = PathBuilder::new();
                let bar = Rect::from_xywh(LEFT, *y, RIGHT - LEFT, *thick);
                path.push_rect(bar.expect("a rule has a size"));
                surface.draw_path(&path.finish().expect("a rule has a shape"));
            }
        }
    }
}
