//! What people read: lines on the screen, and docs/PERFORMANCE.md.

use std::fmt::Write as _;
use std::path::Path;

use super::AnyError;
use super::budget::{Row, rows};
use super::cases::Case;
use super::measured::Measured;

pub(super) const HEADING: &str =
    "case        seconds   files/s      MB/s    CPU s  peak MiB  written GB  ready ms";

pub(super) fn line(case: &Case, measured: &Measured) -> String {
    let spent = &measured.spent;
    format!(
        "{:<10} {:>8.2} {:>9.0} {:>9.1} {:>8.1} {:>9} {:>11.2} {:>9}  {}",
        case.name,
        measured.seconds,
        as_f64(measured.files) / measured.seconds,
        as_f64(measured.bytes) / 1e6 / measured.seconds,
        spent.cpu_seconds,
        spent.peak_mib,
        as_f64(spent.written_bytes) / 1e9,
        spent.ready.as_millis(),
        case.what
    )
}

/// The cost budget of one case. What ends in a refusal is not in it.
pub(super) fn costs(case: &Case, measured: &Measured) -> String {
    let mut text = String::new();
    for row in budget_of(case, measured) {
        let kept = if row.is_kept() {
            ""
        } else {
            "  MORE THAN ALLOWED"
        };
        // Writing to a text cannot fail.
        let _written = writeln!(
            text,
            "    {:<36} {:>13} of {:>13}{kept}",
            row.what,
            grouped(row.counted),
            grouped(row.allowed)
        );
    }
    text
}

fn budget_of(case: &Case, measured: &Measured) -> Vec<Row> {
    if case.ends_in == "Success" {
        rows(measured, measured.bags)
    } else {
        Vec::new()
    }
}

/// The page between its two marks, which are kept.
pub(super) fn write(all: &[(&Case, Measured)], told: &[String]) -> Result<(), AnyError> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PERFORMANCE.md");
    let page = std::fs::read_to_string(&file)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("no mark of the beginning")?;
    let (_, after) = rest.split_once(END).ok_or("no mark of the end")?;
    let measured = page_of(all, told)?;
    std::fs::write(&file, format!("{before}{BEGIN}\n{measured}{END}{after}"))?;
    Ok(())
}

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

fn page_of(all: &[(&Case, Measured)], told: &[String]) -> Result<String, AnyError> {
    let mut text = String::new();
    writeln!(
        text,
        "| case | seconds | files/s | MB/s | CPU seconds | peak MiB | GB written |\n\
         |---|---|---|---|---|---|---|"
    )?;
    for (case, measured) in all {
        writeln!(
            text,
            "| {} (`{}`) | {:.1} | {:.0} | {:.1} | {:.1} | {} | {:.2} |",
            case.what,
            case.name,
            measured.seconds,
            as_f64(measured.files) / measured.seconds,
            as_f64(measured.bytes) / 1e6 / measured.seconds,
            measured.spent.cpu_seconds,
            measured.spent.peak_mib,
            as_f64(measured.spent.written_bytes) / 1e9,
        )?;
    }
    for line in told {
        writeln!(text, "\n{line}")?;
    }
    writeln!(text, "\nThe cost budget, counted / allowed:\n")?;
    let budgets: Vec<(&str, Vec<Row>)> = all
        .iter()
        .map(|(case, measured)| (case.name, budget_of(case, measured)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let Some((_, first)) = budgets.first() else {
        return Ok(text);
    };
    let names: Vec<String> = budgets
        .iter()
        .map(|(name, _)| format!(" `{name}` |"))
        .collect();
    writeln!(text, "| asked |{}", names.concat())?;
    writeln!(text, "|---|{}", "---|".repeat(budgets.len()))?;
    for (number, row) in first.iter().enumerate() {
        write!(text, "| {} |", row.what)?;
        for (_, rows) in &budgets {
            let of_case = &rows[number];
            let (counted, allowed) = (grouped(of_case.counted), grouped(of_case.allowed));
            let more = if of_case.is_kept() { "" } else { " **more**" };
            write!(text, " {counted} / {allowed}{more} |")?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}
