//! What is said in Chinese: findings, errors, and a run on its way.

use crate::support::{RECIPE, Workplace};

/// Text without what stands in backticks, which is the same in every language.
fn words(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// Standard error of a command in Chinese, which must fail with 1.
fn error(place: &Workplace, arguments: &[&str]) -> String {
    place.run(&[&["--lang", "zh"], arguments].concat()).fails(1)
}

fn reviews(place: &Workplace) {
    let rows = "good food\tpos\ngood food\tneg\nbad service\tneg\nbad service\tneg\nquite nice\tpos\n";
    place.write("train.tsv", format!("text\tlabel\n{rows}"));
    place.write("test.tsv", "text\tlabel\nquite nice\tpos\nanother one\tneg\n");
}

#[test]
fn findings_are_said_in_chinese() {
    let place = Workplace::new();
    reviews(&place);
    let arguments = ["--lang", "zh", "check", "train.tsv", "--test", "test.tsv", "--html", "page.html"];
    let checked = place.run(&arguments);
    let text = &checked.stdout;
    assert!(text.contains("问题：测试集的 2 条文本中有 1 个也出现在训练集中"), "{text}");
    assert!(text.contains("与前面的重复") && text.contains("带有互相矛盾的标签"), "{text}");
    assert!(checked.stderr.contains("已写入 `page.html`") && checked.stderr.contains("个问题"), "{}", checked.stderr);
    let page = String::from_utf8(place.read("page.html")).unwrap();
    assert!(page.contains("<html lang=\"zh-Hans\">") && page.contains("<h1>数据检查：train.tsv</h1>"), "{page}");
    assert!(page.contains("<th scope=\"col\">位置</th>") && page.contains("class=\"severity problem\">问题"), "{page}");
    let json = place.run(&["--lang", "zh", "--json", "check", "train.tsv"]);
    assert!(json.stdout.contains("\"title\":\"1 input stands there"), "programs read English: {}", json.stdout);
    let cleaned = place.run(&["--lang", "zh", "clean", "train.tsv", "--output", "clean.tsv"]).ok();
    assert!(cleaned.contains("去掉") && cleaned.contains("已写入 `clean.tsv`；去掉的每一行都记录在"), "{cleaned}");
}

#[test]
fn errors_are_said_in_chinese() {
    let place = Workplace::new();
    assert_eq!(error(&place, &["inspect", "digit.csv"]), "错误：`digit.csv` 不存在\n提示：您是否想用 `digits.csv`？\n");
    place.write("typo.toml", RECIPE.replace("epochs = 3", "epocs = 3\nbatch-tokens = 0"));
    let text = error(&place, &["fit", "typo.toml"]);
    assert!(text.starts_with("错误：配方 `typo.toml` 中有 2 个问题\n  第 25 行第 1 列："), "{text}");
    assert!(text.contains("`train.epocs`：没有这个键\n    提示：您是否想用 `epochs`？"), "{text}");
    assert!(text.contains("`train.batch-tokens`：应为不小于 1 的数，实际为 0"), "{text}");
    let text = error(&place, &["fit", "tiny.toml", "--set", "data.classes=5"]);
    assert!(text.contains("应为 0..5 中的标签，实际为 5"), "{text}");
    let text = error(&place, &["fit", "tiny.toml", "--set", "loss.from-logits=true"]);
    assert!(text.contains("网络的最后一层") && text.contains("会被用两次"), "{text}");
    let text = error(&place, &["watch", "runs"]);
    assert!(text.contains("`runs` 不") && !words(&text).contains(|c: char| c.is_ascii_alphabetic()), "{text}");
}

#[test]
fn a_run_is_accompanied_in_chinese() {
    let place = Workplace::new();
    let fit = place.run(&["--lang", "zh", "fit", "tiny.toml", "--epochs", "2"]);
    let text = &fit.stderr;
    assert!(text.contains("运行文件夹是 `runs/tiny`") && text.contains("第 1/2 轮  损失 "), "{text}");
    assert!(text.contains("准确率") && text.contains("目前最佳") && !text.contains("epoch"), "{text}");
    let plan = place.run(&["--lang", "zh", "check", "tiny.toml", "--no-timing"]).ok();
    assert!(plan.contains("学习率") && plan.contains("运行内存") && plan.contains("没有发现问题"), "{plan}");
}

#[test]
fn programs_read_english_whatever_the_language() {
    let place = Workplace::new();
    let failed = place.run(&["--lang", "zh", "--json", "inspect", "digit.csv"]);
    assert_eq!(
        failed.stdout,
        "{\"error\":\"`digit.csv` does not exist\",\"hints\":[\"did you mean `digits.csv`?\"]}\n"
    );
    assert!(failed.stderr.starts_with("错误："), "{}", failed.stderr);
}
