//! How long calls took, in classes: those of several processes can be added up.

use std::time::Duration;

/// The upper ends of the classes, in seconds; the last class has none. A store in the same region answers in
/// the first ones, and 30 s is the longest that a call without a body may take.
pub const LATENCY_BOUNDS: [f64; 9] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Of one kind of call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// How many calls were in each class, each call in one.
    pub classes: [u64; LATENCY_BOUNDS.len() + 1],
    pub total: Duration,
}

impl Latency {
    pub(crate) fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let class = LATENCY_BOUNDS.iter().take_while(|bound| seconds > **bound);
        let class = class.count();
        if let Some(count) = self.classes.get_mut(class) {
            *count = count.saturating_add(1);
        }
        self.total = self.total.saturating_add(took);
    }

    pub fn calls(&self) -> u64 {
        self.classes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_in_the_first_class_that_it_fits() {
        let mut latency = Latency::default();

        for millis in [0, 3, 4, 30_000, 30_001, 1_000_000] {
            latency.add(Duration::from_millis(millis));
        }

        assert_eq!(latency.classes, [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(latency.calls(), 6);
        assert_eq!(latency.total, Duration::from_millis(1_060_008));
    }
}
