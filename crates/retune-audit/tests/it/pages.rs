//! The report in its three forms, of one structure.

use crate::images::{picture, stored};
use crate::support::{Folder, check};
use image::ImageFormat;
use retune_audit::Language;

#[test]
fn the_forms_tell_the_same() {
    let folder = Folder::new();
    let rows = "<b>bold</b> & text\tx\n<b>bold</b> & text\tx\nanother good text\ty\nAnother good text\tx\n\ty\n";
    let path = folder.write("my data.tsv", format!("text\tlabel\n{rows}"));
    let checked = check(&path);
    let (report, language) = (&checked.report, Language::English);
    let (text, html, json) = (report.text(language), report.html(&checked.collection, language), report.json());
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), checked.report.findings.len());
    assert!(findings.len() >= 3);
    let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for finding in findings {
        let title = finding["title"].as_str().unwrap();
        assert!(unwrapped.contains(title), "{title}: {text}");
        assert!(html.contains(&title.replace('&', "&amp;")), "{title}: {html}");
        if let Some(command) = finding["command"].as_str() {
            assert!(text.contains(command), "{command}: {text}");
        }
    }
    let conflict = findings.iter().find(|finding| finding["kind"] == "conflicts").unwrap();
    assert!(conflict["command"].as_str().unwrap().ends_with("my data-clean.tsv' --drop conflicts"), "{conflict}");
    assert_eq!(conflict["examples"][0]["places"][0]["row"], 4);
    assert!(!html.contains("<b>") && html.contains("&lt;b&gt;bold"), "nothing of the data is markup");
    assert!(html.contains("default-src 'none'") && !html.contains("<script") && !html.contains("://"));
}

#[test]
fn pictures_are_shown_in_the_page() {
    let folder = Folder::new();
    for number in 0..4 {
        folder.write(&format!("data/{}/{number}.png", number % 2), stored(picture(number / 3), ImageFormat::Png));
    }
    let checked = check(&folder.path("data"));
    let html = checked.report.html(&checked.collection, Language::English);
    assert!(html.matches("<img src=\"data:image/png;base64,").count() >= 3, "{html}");
}

#[test]
fn nothing_wrong_is_said_as_such() {
    let folder = Folder::new();
    let word =
        |n: usize| -> String { (0..6).map(|k| char::from(b'a' + ((n * 7 + k * k * (n + 3)) % 26) as u8)).collect() };
    let rows = (0..24).map(|i| format!("{} {} {}\t{}\n", word(i), word(i + 100), word(i + 55), i % 2));
    let path = folder.write("a.tsv", format!("text\tlabel\n{}", rows.collect::<String>()));
    let checked = check(&path);
    let text = |language| checked.report.text(language);
    assert!(text(Language::English).ends_with("nothing wrong was found\n"), "{}", text(Language::English));
    assert!(text(Language::Chinese).ends_with("没有发现问题\n"), "{}", text(Language::Chinese));
}
