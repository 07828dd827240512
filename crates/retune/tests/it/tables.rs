//! Tables of numbers and categories: a new model, raw tables for `predict` and `eval`, training that goes on with other rows.

use crate::support::Workplace;

/// A table whose label is told by a number and a category together, with missing values; a column of identifiers, and a flag.
fn table(place: &Workplace, name: &str, rows: std::ops::Range<usize>) {
    let mut text = "id,age,city,member,plan,churn\n".to_owned();
    for i in rows {
        let age = if i % 13 == 5 { "?".to_owned() } else { (20 + i * 7 % 50).to_string() };
        let city = ["Bern", "Genf", "Basel", ""][i * 5 % 4];
        let (member, plan) = (["true", "False"][i % 2], ["basic", "plus", "max"][i * 11 % 3]);
        let churn = if i * 7 % 50 < 25 && plan != "max" { "yes" } else { "no" };
        text += &format!("u{i},{age},{city},{member},{plan},{churn}\n");
    }
    place.write(name, text);
}

const RECIPE: &str = "[model]\nkind = \"table\"\nhidden = [16]\n[data]\npath = \"train.csv\"\nlabel = \"churn\"\n\
                      [optimizer]\nlearning-rate = 0.01\n[train]\nepochs = 20\n[split]\ntest = 0.2\n";

#[test]
fn a_table_of_numbers_and_categories_needs_no_recipe_to_predict() {
    let place = Workplace::new();
    table(&place, "train.csv", 0..400);
    place.write("table.toml", RECIPE);
    let check = place.run(&["check", "--no-timing", "table.toml"]).ok();
    assert!(check.contains("no problems found"), "{check}");
    let fit = place.run(&["--json", "-q", "fit", "table.toml", "--output", "runs/t"]).json();
    let accuracy = fit["comparison"]["metrics"].as_array().unwrap().iter().find(|m| m["metric"] == "accuracy").unwrap();
    assert!(accuracy["after"]["value"].as_f64().unwrap() > 0.9, "{accuracy}");
    let model = fit["model"].as_str().unwrap();

    // Columns in another order, one more, categories that were never seen, missing values; with or without labels.
    place.write("new.csv", "plan,city,age,note,member\nmax,Wien,30,a,true\nbasic,,22,b,\nplus,Bern,?,c,false\n");
    let found = place.run(&["--json", "predict", "--model", model, "--input", "new.csv"]).json();
    let rows = found["predictions"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["label"], &rows[1]["label"]), (3, &"no".into(), &"yes".into()), "{found}");
    assert_eq!(rows[0]["row"], "line 2");
    table(&place, "later.csv", 1000..1100);
    let eval = place.run(&["--json", "eval", "--model", model, "--data", "later.csv"]).json();
    assert!(eval["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.9, "{eval}");
    let text = place.run(&["predict", "--model", model, "--input", "later.csv", "--output", "answers.csv"]).ok();
    assert!(text.contains("100 rows"), "{text}");

    // The saved model learns from other rows, as any other.
    let more = ["--model", model, "--data", "later.csv", "--epochs", "2", "--output", "runs/later"];
    let again = place.run(&[&["--json", "-q", "fit"], &more[..]].concat()).json();
    let eval =
        place.run(&["--json", "eval", "--model", again["model"].as_str().unwrap(), "--data", "later.csv"]).json();
    assert!(eval["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.9, "{eval}");

    // Fewer classes than the model knows keep their numbers.
    place.write(
        "one.csv",
        "age,city,member,plan,churn\n30,Bern,true,max,yes\n22,Genf,true,plus,yes\n25,Bern,true,max,yes\n",
    );
    let one =
        ["--model", model, "--data", "one.csv", "--epochs", "1", "--set", "split.validation=0", "--output", "runs/one"];
    let fit = place.run(&[&["--json", "-q", "fit"], &one[..]].concat()).json();
    let found =
        place.run(&["--json", "predict", "--model", fit["model"].as_str().unwrap(), "--input", "new.csv"]).json();
    assert_eq!(found["predictions"][0]["label"], "no", "{found}");

    place.write("words.csv", "plan,city,age,member\nmax,Bern,old,true\n");
    let error = place.run(&["predict", "--model", model, "--input", "words.csv"]).fails(1);
    assert!(error.contains("line 2") && error.contains("column `age`: expected a number, found `old`"), "{error}");
    place.write("few.csv", "plan,city\nmax,Bern\n");
    let error = place.run(&["predict", "--model", model, "--input", "few.csv"]).fails(1);
    assert!(error.contains("a column `age`, as the model was trained on"), "{error}");
}

#[test]
fn values_keep_their_unit() {
    let place = Workplace::new();
    let price = |i: usize| 300_000 + 4_000 * (i * 7 % 50) + if i.is_multiple_of(3) { 90_000 } else { 0 };
    let rows: String =
        (0..300).map(|i| format!("{},{},{}\n", i * 7 % 50, ["hill", "lake", "flat"][i % 3], price(i))).collect();
    place.write("houses.csv", format!("area,place,price\n{rows}"));
    place.write("t.toml", "[model]\nkind = \"table\"\nhidden = [16]\ndropout = 0\n[data]\npath = \"houses.csv\"\nlabels = \"real\"\n[optimizer]\nlearning-rate = 0.01\n[train]\nepochs = 60\n");
    let fit = place.run(&["--json", "-q", "fit", "t.toml", "--output", "runs/t"]).json();
    let eval = place.run(&["--json", "eval", "--model", fit["model"].as_str().unwrap(), "--data", "houses.csv"]).json();
    assert!(eval["metrics"]["r2"]["value"].as_f64().unwrap() > 0.95, "{eval}");
    place.write("new.csv", "area,place\n10,hill\n");
    let found =
        place.run(&["--json", "predict", "--model", fit["model"].as_str().unwrap(), "--input", "new.csv"]).json();
    let value: f64 = found["predictions"][0]["value"].as_str().unwrap().parse().unwrap();
    assert!((400_000.0..460_000.0).contains(&value), "{found}");
}

#[test]
fn rare_classes_get_more_rows_or_more_draws() {
    let place = Workplace::new();
    let row = |i: usize| {
        format!("{},{},{}\n", i % 17, ["a", "b"][i % 2], if i.is_multiple_of(10) { "rare" } else { "common" })
    };
    place.write("train.csv", format!("x,c,y\n{}", (0..200).map(row).collect::<String>()));
    let recipe = "[model]\nkind = \"table\"\nhidden = [8]\n[data]\npath = \"train.csv\"\n[train]\nepochs = 1\n";
    place.write("t.toml", recipe);
    let ran = place.run(&["fit", "t.toml", "--set", "augment.smote={ neighbours = 3 }", "--output", "runs/smote"]);
    assert!(ran.stderr.contains("144 rows are made for rare classes, beside 180"), "{}", ran.stderr);
    ran.ok();
    for sampling in ["\"balanced\"", "{ classes = [1.0, 9.0] }"] {
        let set = format!("data.sampling={sampling}");
        place.run(&["-q", "fit", "t.toml", "--set", &set, "--output", &format!("runs/{}", sampling.len())]).ok();
    }
    let both = ["--set", "augment.smote={}", "--set", "data.sampling=\"balanced\""];
    let error = place.run(&[&["fit", "t.toml"], &both[..]].concat()).fails(1);
    assert!(error.contains("keep one of the two"), "{error}");
}

#[test]
fn what_does_not_go_with_tables_is_said() {
    let place = Workplace::new();
    table(&place, "train.csv", 0..60);
    place.write("table.toml", RECIPE);
    let fails = |set: &str| place.run(&["check", "--no-timing", "table.toml", "--set", set]);
    let error = fails("model.path=x.keras").fails(1);
    assert!(error.contains("does not go with `kind = \"table\"`"), "{error}");
    let error = fails("augment.horizontal-flip=0.5").fails(1);
    assert!(error.contains("a table of columns"), "{error}");
    let error = fails("augment.mixup=0.2").fails(1);
    assert!(error.contains("a table with categories"), "{error}");
    let error = place.run(&["check", "--no-timing", "tiny.toml", "--set", "model.hidden=[3]"]).fails(1);
    assert!(error.contains("goes with `kind = \"table\"`"), "{error}");
}
