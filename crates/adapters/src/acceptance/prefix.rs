//! What job starters put before each line of a tool's output: `srun -l` the task,
//! `mpirun --tag-output` job, rank and stream.

use super::Unreadable;

/// The text without it.
///
/// # Errors
///
/// When several tasks wrote into one file and `one` is wanted: whose a line is, its
/// reader could not say.
pub(super) fn stripped(file: &str, text: &str, one: bool) -> Result<String, Unreadable> {
    let mut tasks: Vec<&str> = Vec::new();
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        let (task, rest) = split(line);
        if let Some(task) = task
            && !tasks.contains(&task)
        {
            tasks.push(task);
        }
        lines += rest;
        lines.push('\n');
    }
    if !text.ends_with('\n') {
        // A line that was cut off is left as it was.
        lines.pop();
    }
    if one && tasks.len() > 1 {
        return Err(Unreadable::new(
            file,
            "the output of one task, as without `srun -l` or with one file for each \
             (`srun -o FILE-%t`)",
            format!("lines of the tasks {} and {}", tasks[0], tasks[1]),
        ));
    }
    Ok(lines)
}

/// Who wrote a line, where a job starter says so, and the line.
fn split(line: &str) -> (Option<&str>, &str) {
    // `[1,0]<stdout>:`, with a space after it or none.
    if let Some(rest) = line.strip_prefix('[')
        && let Some((tag, rest)) = rest.split_once(">:")
        && let Some((rank, stream)) = tag.split_once("]<")
        && matches!(stream, "stdout" | "stderr" | "stddiag")
        && rank.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
    {
        return (Some(rank), rest);
    }
    // `0: `, filled with spaces before the number.
    if let Some((task, rest)) = line.split_once(':')
        && let task = task.trim_start()
        && !task.is_empty()
        && task.bytes().all(|byte| byte.is_ascii_digit())
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return (Some(task), rest.strip_prefix(' ').unwrap_or(rest));
    }
    (None, line)
}
