//! Pages and fixtures: what they point to is there.

use super::{Finding, Tree};

/// Every folder of fixtures has a README that says where its files come from.
pub(super) fn fixtures_name_their_source(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some((folder, name)) = file.path.rsplit_once('/') else {
            continue;
        };
        let at_fixtures = folder.split('/').position(|part| part == "fixtures");
        let (Some(at), true) = (at_fixtures, name != "README.md") else {
            continue;
        };
        let parts: Vec<&str> = folder.split('/').collect();
        let named = (at + 1..=parts.len()).any(|depth| {
            tree.file(&format!("{}/README.md", parts[..depth].join("/")))
                .is_some_and(|page| page.text.to_lowercase().contains("source"))
        });
        if !named {
            let what = "expected a README.md that names its source, found none; \
                        say where the files come from, or that they are made up";
            findings.push(Finding::new(folder, 0, what));
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

/// Every relative link leads to a file or a folder.
pub(super) fn links_lead_somewhere(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in tree.markdown() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, text) in page.lines() {
            for target in links(text) {
                let path = target.split('#').next().unwrap_or_default();
                let there = tree.root.join(folder).join(path).exists();
                if !there {
                    let what =
                        format!("expected a file at the link, found none: {target}");
                    findings.push(Finding::new(&page.path, line, what));
                }
            }
        }
    }
    findings
}

/// The relative targets of `[words](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_fixture_says_where_it_comes_from() {
        let file = ("crates/a/fixtures/b/prices.csv", "1,2");
        let readme = |path| (path, "Source: made up from the layout's description.");
        let check = |files: &[(&str, &str)], expected: &[&str]| {
            check(fixtures_name_their_source, files, expected);
        };
        check(&[file], &["crates/a/fixtures/b:0"]);
        check(&[file, readme("crates/a/fixtures/README.md")], &[]);
        check(&[file, readme("crates/a/fixtures/b/README.md")], &[]);
        check(&[file, ("crates/a/fixtures/README.md", "")], &["crates/a/fixtures/b:0"]);
        check(&[file, readme("crates/a/README.md")], &["crates/a/fixtures/b:0"]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let page = "[the root](Cargo.toml) and [nothing](no-such-page.md#part)\n\
                    [outside](https://example.org/x) [above](#part)";
        check(links_lead_somewhere, &[("README.md", page)], &["README.md:1"]);
    }
}
