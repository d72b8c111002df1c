//! Whether the device's clock can be believed.
//!
//! A clock behind a signed time was set back, or has stopped: then no age can be told, and nothing
//! may be called clear until signed time arrives. The same holds for a list that, by this clock, is
//! yet to be made.

use super::{Facts, Finding, FindingKind, ListState, Todo};

/// Returns a finding where the time is not trusted.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let made_later = match facts.list {
        ListState::Loaded { created, .. } => created > facts.time.upper,
        ListState::None => false,
    };
    if facts.time.is_suspect() || made_later {
        vec![Finding::new(FindingKind::TimeNotTrusted, Todo::TellCommander)]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{facts, list_made_at, now};
    use crate::clock::TrustedTime;
    use crate::matching::testing::a_citizen;

    #[test]
    fn a_clock_behind_signed_time_is_not_trusted() {
        let document = a_citizen();
        for (what, real, expected) in [
            ("on time", now(), None),
            ("ahead", now().plus_seconds(86_400), None),
            ("set back", now().plus_seconds(-1), Some(FindingKind::TimeNotTrusted)),
        ] {
            let time = TrustedTime::new(now(), real);
            let findings = check(&Facts { time, ..facts(&document) });
            assert_eq!(findings.first().map(|finding| finding.kind), expected, "{what}");
        }
    }

    #[test]
    fn a_list_from_the_future_means_that_the_clock_is_behind() {
        let document = a_citizen();
        for (what, created, expected) in [
            ("just made", now(), None),
            ("yet to be made", now().plus_seconds(1), Some(FindingKind::TimeNotTrusted)),
        ] {
            let findings = check(&Facts { list: list_made_at(created), ..facts(&document) });
            assert_eq!(findings.first().map(|finding| finding.kind), expected, "{what}");
        }
    }
}
