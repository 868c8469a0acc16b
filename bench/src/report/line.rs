//! One line of the table: something measured, the limit beside it, and whether the goal is met.

use serde::Serialize;

use super::figure::{Figure, median, range};

/// What the ratio of measured to limit is to be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(goal) => ratio >= goal,
            Self::AtMost(goal) => ratio <= goal,
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::AtLeast(goal) => format!("≥ {goal}"),
            Self::AtMost(goal) => format!("≤ {goal}"),
        }
    }
}

/// The limit beside a measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Limit {
    pub(crate) what: String,
    pub(crate) figure: Figure,
}

/// Measured to limit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    /// Of the medians.
    pub(crate) value: f64,
    /// Of the rounds, each with the limit's round next to it.
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) measured: Figure,
    pub(crate) limit: Option<Limit>,
    pub(crate) ratio: Option<Ratio>,
    pub(crate) goal: Option<Goal>,
    pub(crate) met: Option<bool>,
    pub(crate) notes: Vec<String>,
}

impl Line {
    /// Something that is only told.
    pub(crate) fn new(what: impl Into<String>, measured: Figure) -> Self {
        Self { what: what.into(), measured, limit: None, ratio: None, goal: None, met: None, notes: Vec::new() }
    }

    /// With the limit it is compared with.
    pub(crate) fn beside(mut self, what: impl Into<String>, figure: Figure) -> Self {
        self.ratio = ratio(&self.measured, &figure);
        self.limit = Some(Limit { what: what.into(), figure });
        self
    }

    /// With what the ratio is to be.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self.met = self.ratio.map(|ratio| goal.met(ratio.value));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

fn ratio(measured: &Figure, limit: &Figure) -> Option<Ratio> {
    if limit.median() <= 0.0 {
        return None;
    }
    let value = measured.median() / limit.median();
    let pairs: Vec<f64> = if measured.samples().len() == limit.samples().len() {
        measured.samples().iter().zip(limit.samples()).map(|(measured, limit)| measured / limit).collect()
    } else {
        let limit = median(limit.samples());
        measured.samples().iter().map(|measured| measured / limit).collect()
    };
    let (lowest, highest) = range(&pairs)?;
    Some(Ratio { value, lowest, highest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(measured: [f64; 2], limit: [f64; 2], goal: Goal) -> Line {
        Line::new("x", Figure::new("/s", measured.into())).beside("y", Figure::new("/s", limit.into())).goal(goal)
    }

    #[test]
    fn a_goal_is_met_by_the_ratio_of_the_medians() {
        assert_eq!(line([190.0, 230.0], [100.0, 100.0], Goal::AtLeast(2.0)).met, Some(true));
        assert_eq!(line([190.0, 200.0], [100.0, 100.0], Goal::AtLeast(2.0)).met, Some(false));
        assert_eq!(line([2.0, 3.0], [1.0, 1.0], Goal::AtMost(3.0)).met, Some(true));
        assert_eq!(line([4.0, 3.0], [1.0, 1.0], Goal::AtMost(3.0)).met, Some(false));
    }

    #[test]
    fn the_range_of_the_ratio_is_that_of_the_rounds() {
        let ratio = line([100.0, 300.0], [100.0, 150.0], Goal::AtLeast(1.0)).ratio.unwrap();
        assert!((ratio.lowest - 1.0).abs() < 1e-9 && (ratio.highest - 2.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_met_without_something_to_compare_with() {
        assert_eq!(line([1.0, 1.0], [0.0, 0.0], Goal::AtLeast(1.0)).met, None);
    }
}
