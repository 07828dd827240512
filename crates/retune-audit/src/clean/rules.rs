//! What may be left out.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// A rule by which items are left out. They apply in the order given here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// Rows and files that cannot be used.
    Unreadable,
    /// Texts of which nothing can be seen.
    Empty,
    /// Items for training that also stand among those for validation or test; items for validation that stand in test.
    Overlap,
    /// Of the same input with different labels, the items whose label is not that of more than half of them; where there is no such
    /// label, all.
    Conflicts,
    /// Repetitions of the same input: all but the first.
    ExactDuplicates,
    /// Repetitions of nearly the same input: all that are like the first.
    NearDuplicates,
    /// Items whose label is likely wrong.
    LabelErrors,
}

impl Rule {
    /// All rules, in the order in which they apply.
    pub const ALL: [Rule; 7] = [
        Rule::Unreadable,
        Rule::Empty,
        Rule::Overlap,
        Rule::Conflicts,
        Rule::ExactDuplicates,
        Rule::NearDuplicates,
        Rule::LabelErrors,
    ];
    /// The rules that apply where none are named: all but near duplicates and likely wrong labels, which can be examples in their own
    /// right, and hard ones.
    pub const DEFAULT: [Rule; 5] =
        [Rule::Unreadable, Rule::Empty, Rule::Overlap, Rule::Conflicts, Rule::ExactDuplicates];

    /// The name on the command line and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Unreadable => "unreadable",
            Rule::Empty => "empty",
            Rule::Overlap => "overlap",
            Rule::Conflicts => "conflicts",
            Rule::ExactDuplicates => "exact-duplicates",
            Rule::NearDuplicates => "near-duplicates",
            Rule::LabelErrors => "label-errors",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(name: &str) -> Result<Rule, String> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for rule in Rule::ALL {
            assert_eq!(rule.name().parse(), Ok(rule));
            assert_eq!(serde_json::json!(rule), rule.name());
        }
        assert!("duplicates".parse::<Rule>().unwrap_err().contains("exact-duplicates"));
    }
}
