//! Findings on tables of numbers and categories.

use crate::support::{Folder, check, rows};
use retune_audit::{Kind, Severity};

/// Rows of an identifier, a name, two good columns, a constant, a mostly missing one and a class.
fn passengers(n: usize) -> Vec<String> {
    let row = |i: usize| {
        let fare = 5.0 + ((i * 37) % 101) as f32 / 4.0;
        format!(
            "{},\"Name, {i}\",{fare},{},1,{},{}",
            1000 + i,
            20 + i * 7 % 50,
            if i.is_multiple_of(9) { "B5" } else { "" },
            ["no", "yes"][i * 5 % 7 % 2]
        )
    };
    (0..n).map(row).collect()
}

const HEADER: &str = "PassengerId,Name,Fare,Age,Port,Cabin,label";

#[test]
fn useless_columns_are_named_with_the_setting_that_drops_them() {
    let folder = Folder::new();
    let checked = check(&folder.write("a.csv", format!("{HEADER}\n{}\n", passengers(60).join("\n"))));
    let finding = checked.finding(Kind::Columns);
    assert_eq!((finding.count, finding.severity), (4, Severity::Warning));
    let command = checked.report.command(finding).unwrap();
    assert_eq!(command, "retune fit RECIPE --set 'data.drop-columns=[\"PassengerId\", \"Name\", \"Port\", \"Cabin\"]'");
    assert!(
        finding.details[0].english().starts_with("`PassengerId`, `Name` has another value in every row"),
        "{:?}",
        finding.details
    );
}

#[test]
fn a_column_that_tells_the_label_is_a_problem() {
    let folder = Folder::new();
    let rows: String = (0..60)
        .map(|i| format!("{},{},{}\n", i * 13 % 29, ["a", "b", "c"][i % 3], ["yes", "no", "no"][i % 3]))
        .collect();
    let checked = check(&folder.write("a.csv", format!("x,outcome,label\n{rows}")));
    let finding = checked.finding(Kind::Columns);
    assert_eq!(finding.severity, Severity::Problem);
    assert!(finding.details[0].english().starts_with("`outcome` by itself tells the label"), "{:?}", finding.details);
}

#[test]
fn rows_are_compared_without_their_label() {
    let folder = Folder::new();
    let mut lines: Vec<String> = (0..60).map(|i| format!("{}.5,{},{}", i * 13, i * 31 % 17, i % 2)).collect();
    lines.push(lines[4].clone());
    lines.push("65.5,2,0".to_owned());
    lines.push("1,2".to_owned());
    lines.push("99999999,3,1".to_owned());
    folder.write("data/train.csv", format!("a,b,label\n{}\n", lines.join("\n")));
    folder.write("data/test.csv", format!("a,b,label\n{}\n0.1,0.2,1\n", lines[7]));
    let checked = check(&folder.path("data"));
    assert_eq!(checked.finding(Kind::ExactDuplicates).count, 2);
    assert_eq!(rows(checked.finding(Kind::Conflicts), 0), [7, 63]);
    assert_eq!(rows(checked.finding(Kind::Unreadable), 0), [64]);
    assert!(checked.finding(Kind::Overlap).title.english().starts_with("1 of the 2 rows of test also stands in train"));
    let outliers = checked.finding(Kind::Outliers);
    assert_eq!((outliers.count, rows(outliers, 0)), (1, vec![65]));
    assert_eq!(outliers.examples[0].note.english(), "`a` is 99999999");
}

#[test]
fn real_values_are_no_classes() {
    let folder = Folder::new();
    let lines: String = (0..80).map(|i| format!("{}.25;{}\n", i * 7 % 83, i as f32 * 1.37)).collect();
    let checked = check(&folder.write("a.csv", format!("x;price\n{lines}")));
    assert_eq!(checked.kinds(), []);
    assert_eq!(checked.collection.classes().len(), 0);
}
