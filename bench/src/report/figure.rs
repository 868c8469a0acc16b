//! A measured number: what each round gave, and what is said of them together.

use serde::Serialize;

/// What several rounds gave.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    unit: &'static str,
    median: f64,
    samples: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(unit: &'static str, samples: Vec<f64>) -> Self {
        Self { unit, median: median(&samples), samples }
    }

    pub(crate) fn median(&self) -> f64 {
        self.median
    }

    pub(crate) fn samples(&self) -> &[f64] {
        &self.samples
    }

    /// The distance from the lowest to the highest, as a share of the median.
    pub(crate) fn spread(&self) -> Option<f64> {
        let (low, high) = range(&self.samples)?;
        (self.samples.len() > 1 && self.median > 0.0).then(|| (high - low) / self.median)
    }

    /// Like `5,432 msg/s ±4 %`.
    pub(crate) fn words(&self) -> String {
        let number = format!("{} {}", number(self.median), self.unit);
        match self.spread() {
            Some(spread) => format!("{number} ±{:.0} %", spread * 50.0),
            None => number,
        }
    }
}

/// The middle one, or between the two in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The lowest and the highest.
pub(crate) fn range(samples: &[f64]) -> Option<(f64, f64)> {
    let low = samples.iter().copied().min_by(f64::total_cmp)?;
    let high = samples.iter().copied().max_by(f64::total_cmp)?;
    Some((low, high))
}

/// With as many digits as mean something, and commas in the thousands.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 {
        return if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_one_that_is_far_off() {
        assert!((median(&[5.0, 1_000.0, 4.0]) - 5.0).abs() < 1e-9);
        assert!((median(&[4.0, 6.0]) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_readable() {
        let words: Vec<_> = [0.123, 12.34, 999.6, 1_234_567.0].map(number).into();
        assert_eq!(words, ["0.12", "12.3", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_spread_is_half_the_range_to_each_side() {
        assert_eq!(Figure::new("msg/s", vec![90.0, 100.0, 110.0]).words(), "100 msg/s ±10 %");
        assert_eq!(Figure::new("MB", vec![12.0]).words(), "12.0 MB");
    }
}
