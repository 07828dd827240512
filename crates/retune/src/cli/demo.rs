//! `retune demo`: a first run, with model and data built in.
//!
//! A network pretrained on photos of clothes learns handwritten digits from ten examples of each. Beside it, the same network
//! is trained from scratch by the same recipe, and both are compared on the same test digits.

use super::failure::Failure;
use super::outcome::{estimate_text, p_text};
use super::progress::Progress;
use super::text::{self, Table};
use super::{Context, Result};
use retune::data::Loader;
use retune::formats::atomic::write_bytes_atomic;
use retune::train::fit::{fit, train};
use retune::train::language::{Language, Said, fill};
use retune::train::metrics::{Estimate, McNemar, Metric, Scored, bootstrap, compare_accuracy};
use retune::train::predict::Predictor;
use retune::train::recipe::{self, Built};
use retune::train::trainer::{Silent, Trainer};
use retune::{Model, data};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const RECIPE: &str = include_str!("../../demo/demo.toml");
const MODEL: &[u8] = include_bytes!("../../demo/fashion.keras");
const DIGITS: &[u8] = include_bytes!("../../demo/digits.csv.gz");

retune::train::texts! {
    struct Words {
        title: "on {items} digits that no training saw", "在训练从未见过的 {items} 个数字上";
        accuracy: "accuracy (95 % interval)", "准确率（95 % 区间）";
        untrained: "new head, untrained", "新的头，未训练";
        scratch: "trained from scratch", "从头训练";
        fine_tuned: "fine-tuned", "微调";
        told: "Both saw the same {labels} labels for the same number of steps. {second} digits only the fine-tuned network gets right, {first} only\n\
            the one from scratch. {verdict} ({p}). All of it took {time}.",
            "两者以同样的步数学习同样的 {labels} 个标签。{second} 个数字仅微调的网络答对，{first} 个仅从头训练的网络答对。\n\
            {verdict}（{p}）。全部用时 {time}。";
        fine_tuning_wins: "Fine-tuning wins, by more than chance explains", "微调胜出，且超出偶然所能解释";
        scratch_wins: "Training from scratch wins, by more than chance explains", "从头训练胜出，且超出偶然所能解释";
        chance: "The difference may be chance", "差异可能出于偶然";
        report: "report", "报告";
        model: "model", "模型";
        recipe: "recipe", "配方";
        next: "next, for example:", "接下来，例如：";
    }
}

/// Fine-tune a small network on handwritten digits; both are built in.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder to write to [default: runs/demo, or runs/demo-2 and so on where that exists]
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Runs the demo.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let start = Instant::now();
    let folder = match &arguments.output {
        Some(folder) => folder.clone(),
        None => free_folder(Path::new("runs/demo")),
    };
    let recipe_path = write_files(&folder)?;
    context.console.said(&Said::new(
        "A small network that retune pretrained on photos of clothes (Fashion-MNIST) learns handwritten digits\n\
         (UCI, 1,797 images of 8×8 pixels) from ten examples of each. Beside it, the same network learns the same\n\
         examples from scratch.\n",
        "一个由 retune 在服装照片（Fashion-MNIST）上预训练的小网络，用每个数字十个样本学习手写数字\n\
         （UCI，1,797 幅 8×8 像素的图像）。作为对照，同样的网络从头学习同样的样本。\n",
    ));
    let build = |overrides: &[&str]| -> Result<Built> {
        let mut all: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        all.extend(context.threads.map(|threads| format!("train.threads={threads}")));
        let settings = recipe::read(&recipe_path, &all)?;
        Ok(recipe::build(&settings, &folder, "demo", &std::env::args().collect::<Vec<_>>())?)
    };

    let built = build(&["model.weights=none"])?;
    let mut progress = Progress::new(context.console, ("from scratch", "从头训练")).bar_only();
    let mut scratch = train(built.job, &mut progress)?;
    let test = test_part(&scratch)?;
    let scratch = scratch.evaluate(&test, &mut progress)?;
    progress.finish();

    let mut untrained = Trainer::new(build(&[])?.job)?;
    let untrained = untrained.evaluate(&test, &mut Silent)?;

    let mut built = build(&[])?;
    built.language = context.language;
    let trained_on = built.job.train.len();
    let mut progress = Progress::new(context.console, ("fine-tuning ", "微调")).bar_only();
    let outcome = fit(built, &mut progress, &AtomicBool::new(false))?;
    progress.finish();
    let (Some(model), Some(report)) = (outcome.model, outcome.report) else {
        return Err(Failure::new(Said::new("the run ended without a model", "运行结束，却没有得到模型")));
    };
    // The figures are those of the file that was saved, read back.
    let settings = recipe::read(&recipe_path, &[])?;
    let digits = data::open(&folder.join("digits.csv.gz"), &settings.source_options())?.train;
    let predictor = Predictor::new(&context.cpu(), Model::load(&model)?.0)?;
    let ids = test.order(0).to_vec();
    let fine_tuned = predictor.evaluate(Arc::new(digits), Some(ids), None, &mut Silent)?;

    let result = DemoResult {
        folder,
        recipe: recipe_path,
        model,
        report,
        trained_on,
        items: test.len(),
        rows: [accuracy(&untrained)?, accuracy(&scratch)?, accuracy(&fine_tuned)?],
        test: compare_accuracy(&scratch, &fine_tuned)?,
        secs: start.elapsed().as_secs_f64(),
    };
    context.console.result(&result.text(context.language), || result.json());
    Ok(())
}

/// What the demo found.
struct DemoResult {
    folder: PathBuf,
    recipe: PathBuf,
    model: PathBuf,
    report: PathBuf,
    trained_on: usize,
    items: usize,
    /// Accuracy of the untrained network, of that from scratch and of the fine-tuned one.
    rows: [Estimate; 3],
    test: McNemar,
    secs: f64,
}

impl DemoResult {
    fn text(&self, language: Language) -> String {
        let words = Words::of(language);
        let mut table = Table::new(&[]);
        let title = fill(words.title, &[("items", &text::count(self.items))]);
        table.row([title, words.accuracy.to_owned()]);
        for (name, estimate) in self.named_rows(words) {
            table.row([format!("  {name}"), estimate_text(Metric::Accuracy, estimate)]);
        }
        let mut out = table.render(0);
        let McNemar { only_first, only_second, p_value } = self.test;
        let verdict = match p_value < 0.05 {
            true if only_second > only_first => words.fine_tuning_wins,
            true => words.scratch_wins,
            false => words.chance,
        };
        let told = fill(
            words.told,
            &[
                ("labels", &self.trained_on.to_string()),
                ("second", &text::count(only_second)),
                ("first", &text::count(only_first)),
                ("verdict", verdict),
                ("p", &p_text(p_value)),
                ("time", &text::seconds(self.secs)),
            ],
        );
        let _ = write!(out, "\n{told}\n\n");
        let mut files = Table::new(&[]);
        files.row([words.report, &self.report.display().to_string()]);
        files.row([words.model, &self.model.display().to_string()]);
        files.row([words.recipe, &self.recipe.display().to_string()]);
        out.push_str(&files.render(0));
        let (retune, folder) = (program(), self.folder.display());
        let _ = write!(
            out,
            "\n{}\n  \
             {retune} inspect {}\n  \
             {retune} convert {} {folder}/digits.h5\n  \
             {retune} fit {} --set data.per-class=15 --output {folder}/fifteen\n  \
             {retune} --help",
            words.next,
            self.model.display(),
            self.model.display(),
            self.recipe.display()
        );
        out
    }

    fn named_rows(&self, words: &'static Words) -> impl Iterator<Item = (&'static str, Estimate)> {
        [words.untrained, words.scratch, words.fine_tuned].into_iter().zip(self.rows)
    }

    fn json(&self) -> Value {
        let row = |(name, estimate): (&str, Estimate)| json!({ "name": name, "accuracy": estimate });
        json!({
            "rows": self.named_rows(Words::of(Language::English)).map(row).collect::<Vec<_>>(),
            "items": self.items,
            "labels": self.trained_on,
            "scratch_against_fine_tuned": self.test,
            "seconds": self.secs,
            "model": self.model,
            "report": self.report,
            "recipe": self.recipe,
        })
    }
}

fn accuracy(scored: &Scored) -> Result<Estimate> {
    bootstrap(Metric::Accuracy, scored, 0)
        .ok_or_else(|| Failure::new(Said::new("the accuracy is not defined", "准确率没有定义")))
}

fn test_part(trainer: &Trainer) -> Result<Loader> {
    trainer
        .job()
        .test
        .clone()
        .ok_or_else(|| Failure::new(Said::new("the demo's recipe has no test part", "演示的配方没有测试集")))
}

/// `folder`, or `folder-2` and so on where that is taken.
fn free_folder(folder: &Path) -> PathBuf {
    let numbered =
        |n: usize| if n == 1 { folder.to_owned() } else { PathBuf::from(format!("{}-{n}", folder.display())) };
    (1..).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| folder.to_owned())
}

/// Writes recipe, model and data, so that what the demo did can be done again by hand. Gives the recipe's path.
fn write_files(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|e| {
        Failure::new(Said::new(
            format!("cannot make `{}`: {e}", folder.display()),
            format!("无法创建 `{}`：{e}", folder.display()),
        ))
    })?;
    for (name, bytes) in [("demo.toml", RECIPE.as_bytes()), ("fashion.keras", MODEL), ("digits.csv.gz", DIGITS)] {
        let path = folder.join(name);
        write_bytes_atomic(&path, bytes).map_err(|e| Failure::cannot_write(&path, e))?;
    }
    Ok(folder.join("demo.toml"))
}

/// How this program is called: by its name if it is on the path, else by where it lies.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_else(|| "retune".to_owned());
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| Some(Path::new(&called).strip_prefix(here).ok()?.display().to_string()));
    relative.unwrap_or(called)
}
