//! What is told at the end: a table for people, JSON for programs.

mod figure;
mod line;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

pub(crate) use figure::Figure;
pub(crate) use line::{Goal, Line};

use crate::machine::Machine;

/// One measurement's lines, or why there are none.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

/// Everything that was measured, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) at: String,
    pub(crate) mode: &'static str,
    pub(crate) machine: Machine,
    pub(crate) sections: Vec<Section>,
    pub(crate) took_seconds: f64,
}

impl Report {
    /// The table: each measurement with the limit beside it; below each line what is to be known about it.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![["", "measured", "beside it", "ratio", "goal", ""].map(str::to_owned)];
        let mut notes = vec![Vec::new()];
        for line in self.sections.iter().flat_map(|section| &section.lines) {
            rows.push(cells(line));
            notes.push(line.notes.clone());
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        let mut text = String::new();
        for (row, notes) in rows.iter().zip(notes) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
            for note in notes {
                let _ = writeln!(text, "    {note}");
            }
        }
        for section in &self.sections {
            if let Some(failed) = &section.failed {
                let _ = writeln!(text, "{} FAILED: {failed}", section.name);
            }
        }
        let (mode, took, machine) = (self.mode, self.took_seconds, self.machine.words());
        let _ = writeln!(text, "A {mode} run of {took:.0} s. Medians of the rounds; ± is half their range.\n{machine}");
        text
    }

    /// Whether each measurement could be made, whatever came of it.
    pub(crate) fn complete(&self) -> anyhow::Result<()> {
        let failed: Vec<_> = self.sections.iter().filter(|section| section.failed.is_some()).map(|s| s.name).collect();
        anyhow::ensure!(failed.is_empty(), "could not be measured: {}", failed.join(", "));
        Ok(())
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

fn cells(line: &Line) -> [String; 6] {
    let beside = line.limit.as_ref().map(|limit| format!("{}: {}", limit.what, limit.figure.words()));
    let ratio = line.ratio.map(|ratio| {
        if (ratio.highest - ratio.lowest) < 0.005 {
            format!("{:.2}", ratio.value)
        } else {
            format!("{:.2} ({:.2}–{:.2})", ratio.value, ratio.lowest, ratio.highest)
        }
    });
    let met = line.met.map(|met| if met { "met" } else { "NOT MET" }.to_owned());
    [
        line.what.clone(),
        line.measured.words(),
        beside.unwrap_or_default(),
        ratio.unwrap_or_default(),
        line.goal.map(Goal::words).unwrap_or_default(),
        met.unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sections: Vec<Section>) -> Report {
        Report { at: String::new(), mode: "quick", machine: Machine::default(), sections, took_seconds: 1.0 }
    }

    fn section(lines: Vec<Line>, failed: Option<&str>) -> Section {
        Section { name: "accept", lines, failed: failed.map(str::to_owned) }
    }

    #[test]
    fn the_table_puts_the_limit_the_ratio_and_the_goal_beside_what_was_measured() {
        let line = Line::new("POST /records", Figure::new("rec/s", vec![9_000.0, 10_000.0, 11_000.0]))
            .beside("pgbench", Figure::new("tx/s", vec![4_000.0]))
            .goal(Goal::AtLeast(2.0))
            .note("processors: all");
        let table = report(vec![section(vec![line], None)]).table();
        let mut lines = table.lines().skip(1);
        assert_eq!(
            lines.next().unwrap(),
            "POST /records  10,000 rec/s ±10 %  pgbench: 4,000 tx/s  2.50 (2.25–2.75)  ≥ 2   met"
        );
        assert_eq!(lines.next().unwrap(), "    processors: all");
    }

    #[test]
    fn a_measurement_that_failed_is_told_and_is_no_success() {
        let failed = report(vec![section(Vec::new(), Some("the disk is full"))]);
        assert!(failed.table().contains("accept FAILED: the disk is full"));
        assert_eq!(failed.complete().unwrap_err().to_string(), "could not be measured: accept");
        report(vec![section(Vec::new(), None)]).complete().unwrap();
    }
}
