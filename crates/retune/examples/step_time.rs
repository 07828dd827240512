//! Times full training steps: loss, gradients of all trainable weights, optimizer, moving statistics.
//!
//! ```text
//! step_time MODEL [--head CLASSES] [--batch 32] [--steps 60] [--warmup 10] [--images FOLDER] [--threads N] [--profile]
//! step_time --recipe FILE [--set KEY=VALUE]... [--steps 60] [--warmup 10] [--whole] [--profile]
//! step_time --peak
//! ```
//!
//! The first form trains a network for images with Adam, the second does what a recipe says. The last line on standard output is
//! an object of numbers; `bench/README.md` says what they mean. `--profile` also prints how long each operation took. Steps
//! run through the loader and the training loop, as in `retune fit`.

use clap::Parser;
use retune::cpu::{Level, Session, StepRandom, multiversion};
use retune::data::preprocess::{Color, Resize, TargetEncoding};
use retune::data::{self, BatchSize, Dataset, Inputs, Labels, Loader, LoaderOptions, Preprocessing, SourceOptions};
use retune::graph::{Bindings, DType, Node, NodeId, Op};
use retune::models::{Mode, keras::LayerConfig};
use retune::tensor::{Key, Purpose, Tensor};
use retune::train::losses::Loss;
use retune::train::optimizers::{Adam, Optimizer};
use retune::train::recipe;
use retune::train::schedules::Schedule;
use retune::train::trainer::{Event, Job, OptimizerSettings, Stage, TrainSettings, Trainer};
use retune::{Cpu, Model};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Time training steps of a model.
#[derive(Parser)]
struct Arguments {
    /// A model for images
    #[arg(required_unless_present_any = ["peak", "recipe"])]
    model: Option<PathBuf>,
    /// What to train, instead of a model for images
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    recipe: Option<PathBuf>,
    /// Changes a key of the recipe
    #[arg(long, value_name = "KEY=VALUE", requires = "recipe")]
    set: Vec<String>,
    /// Put the model inside a new Sequential with a dense softmax layer of so many classes
    #[arg(long, value_name = "CLASSES")]
    head: Option<usize>,
    /// Images per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Steps that are timed
    #[arg(long, default_value_t = 60)]
    steps: usize,
    /// Steps before those
    #[arg(long, default_value_t = 10)]
    warmup: usize,
    /// Images to train on, one sub-folder per class, instead of random ones
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
    /// Let products of a model for images read bfloat16
    #[arg(long, conflicts_with = "recipe")]
    bf16: bool,
    /// Threads [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Do all that the recipe says, instead of some steps
    #[arg(long, requires = "recipe")]
    whole: bool,
    /// Print how long each operation took
    #[arg(long)]
    profile: bool,
    /// Only measure what the cores can do
    #[arg(long)]
    peak: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let arguments = Arguments::parse();
    let cpu = arguments.threads.map_or_else(Cpu::all_threads, Cpu::new);
    let job = match (&arguments.model, &arguments.recipe) {
        (Some(model), _) => image_job(&arguments, model, cpu)?,
        (None, Some(recipe)) => recipe_job(&arguments, recipe)?,
        (None, None) => {
            println!("{{\"peak_flops\": {:e}}}", peak_flops(&cpu));
            return Ok(());
        }
    };
    time_steps(&arguments, job, start)
}

/// The job of a recipe, for as many steps as are wanted.
fn recipe_job(arguments: &Arguments, path: &Path) -> Result<Job, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let steps = format!("train.max-steps={}", arguments.warmup + arguments.steps);
    let changes: Vec<String> = arguments.set.iter().cloned().chain((!arguments.whole).then_some(steps)).collect();
    let settings = recipe::parse(&path.display().to_string(), &text, &changes)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok(recipe::build(&settings, folder, env!("CARGO_PKG_VERSION"), &[])?.job)
}

/// A network for images, trained with Adam on a fixed epoch.
fn image_job(arguments: &Arguments, path: &Path, cpu: Cpu) -> Result<Job, Box<dyn Error>> {
    let (model, _) = Model::load(path)?;
    let model = match arguments.head {
        Some(classes) => {
            model.wrap("model", &[LayerConfig::dense(classes).with("activation", "softmax").with("name", "head")], 0)?
        }
        None => model,
    };
    let network = model.build(Mode::Inference, None)?;
    let sizes =
        |node: NodeId| network.graph.shape(node).dims()[1..].iter().filter_map(|d| d.fixed()).collect::<Vec<_>>();
    let (input, output) = (sizes(network.inputs[0].node), sizes(network.outputs[0].node));
    let &[height, width, channels] = input.as_slice() else { return Err("the model does not take images".into()) };
    let classes = *output.last().ok_or("the model has no classes")?;

    let count = arguments.batch * (arguments.warmup + arguments.steps);
    let mut preprocessing = Preprocessing { targets: TargetEncoding::OneHot, ..Preprocessing::default() };
    let dataset = match &arguments.images {
        Some(folder) => {
            preprocessing.color = Some(if channels == 1 { Color::Grey } else { Color::Rgb });
            preprocessing.resize = Some(Resize::to(height, width));
            let options = SourceOptions { classes: Some(classes), ..SourceOptions::default() };
            in_memory(data::open(folder, &options)?.train, &preprocessing, count, classes)?
        }
        None => random_images(count, [height, width, channels], classes)?,
    };
    let dataset = Arc::new(dataset);
    let targets_only = Preprocessing { targets: TargetEncoding::OneHot, ..Preprocessing::default() };
    let options =
        LoaderOptions { batch_size: arguments.batch, preprocessing: targets_only, ..LoaderOptions::default() };
    Ok(Job {
        cpu,
        model,
        input_shapes: None,
        loss: Loss::CategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 },
        optimizer: OptimizerSettings::from(Optimizer::Adam(Adam::default())),
        stages: vec![Stage::whole(Schedule::constant(0.001))],
        train: Loader::new(dataset.clone(), dataset.ids(), options)?,
        validation: None,
        test: None,
        also: None,
        probe: None,
        settings: TrainSettings { epochs: 1, rounds_products: arguments.bf16, ..TrainSettings::default() },
    })
}

/// Trains, and prints the numbers.
fn time_steps(arguments: &Arguments, job: Job, start: Instant) -> Result<(), Box<dyn Error>> {
    let cpu = job.cpu.clone();
    let mut trainer = Trainer::new(job)?;
    let size = trainer.job().train.largest_batch();
    let plan = trainer.program().plan(size)?;
    let (plan_bytes, flops) = (plan.peak_bytes(), plan.flops());
    let (mut done, mut losses) = (Vec::new(), Vec::new());
    let mut observer = |event: &Event<'_>| {
        if let Event::Step { loss, .. } = event {
            done.push(Instant::now());
            losses.push(*loss);
        }
    };
    let begin = Instant::now();
    trainer.run(None, &mut observer, &AtomicBool::new(false))?;
    let train = begin.elapsed().as_secs_f64();

    let first_step = done[0].duration_since(start).as_secs_f64();
    let from = arguments.warmup.saturating_sub(1);
    let mut steps: Vec<f64> =
        done.windows(2).skip(from).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64() * 1e3).collect();
    if steps.is_empty() {
        steps.push(first_step * 1e3);
    }
    steps.sort_by(f64::total_cmp);
    let at = |share: f64| steps[((steps.len() - 1) as f64 * share).round() as usize];
    if arguments.profile {
        print_profile(&mut trainer, &cpu, size, arguments.steps)?;
    }
    let mut numbers = serde_json::json!({
        "median_ms": at(0.5),
        "p10_ms": at(0.1),
        "p90_ms": at(0.9),
        "first_step_s": first_step,
        "train_s": train,
        "plan_bytes": plan_bytes,
        "flops": flops,
        "gflops": flops as f64 / at(0.5) / 1e6,
        "loss_first": losses[0],
        "loss_last": losses[losses.len() - 1],
    });
    if let (Some(bytes), Some(numbers)) = (peak_resident_bytes(), numbers.as_object_mut()) {
        numbers.insert("peak_bytes".to_owned(), bytes.into());
    }
    println!("{numbers}");
    Ok(())
}

/// Random bytes with random labels.
fn random_images(count: usize, shape: [usize; 3], classes: usize) -> Result<Dataset, Box<dyn Error>> {
    let key = Key::new(0).with(Purpose::Test(0));
    let len = count * shape.iter().product::<usize>();
    let bytes: Vec<u8> = (0..len.div_ceil(16) as u64)
        .flat_map(|block| key.block(block).into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>())
        .take(len)
        .collect();
    let images = Tensor::new([&[count], shape.as_slice()].concat(), bytes)?;
    let key = Key::new(0).with(Purpose::Test(1));
    let labels = (0..count as u64).map(|i| key.below(i, classes as u64) as i32).collect();
    let labels = Labels::classes("random labels", labels, classes)?;
    Ok(Dataset::new("random images", Inputs::Images(images), labels)?)
}

/// `count` prepared images of the data set, from the beginning again where it has fewer.
fn in_memory(
    data: Dataset,
    preprocessing: &Preprocessing,
    count: usize,
    classes: usize,
) -> Result<Dataset, Box<dyn Error>> {
    let data = Arc::new(data);
    let loader = Loader::new(data.clone(), data.ids(), LoaderOptions::sequential(64, preprocessing.clone()))?;
    let (mut values, mut labels, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for batch in loader.epoch(0) {
        let batch = batch?;
        shape = batch.inputs.dense()[0].shape().to_vec();
        values.extend_from_slice(batch.inputs.dense()[0].as_f32().ok_or("images are f32")?);
        let classes = batch.example_ids.iter().filter_map(|&id| data.labels().class_of(id as usize));
        labels.extend(classes.map(|class| class as i32));
    }
    let size: usize = shape[1..].iter().product();
    let images: Vec<f32> = values.iter().copied().cycle().take(count * size).collect();
    shape[0] = count;
    let labels = Labels::classes("images", labels.iter().copied().cycle().take(count).collect(), classes)?;
    Ok(Dataset::new("images", Inputs::Images(Tensor::new(shape, images)?), labels)?)
}

/// Time of each operation, longest first, and of each kind of operation. The training graph is run once more by itself, on
/// inputs of ones, as a training program does not tell the times of its parts.
fn print_profile(trainer: &mut Trainer, cpu: &Cpu, size: BatchSize, steps: usize) -> Result<(), Box<dyn Error>> {
    let graph = trainer.program().graph().clone();
    let results = trainer.program().outputs().to_vec();
    let bindings = Bindings { batch: size.examples, tokens: size.tokens };
    // Sequences of equal lengths; the last takes what is left.
    let each = size.tokens / size.examples.max(1);
    let mut lengths = vec![each as i32; size.examples];
    lengths.iter_mut().last().into_iter().for_each(|last| *last += (size.tokens - each * size.examples) as i32);
    let plain = |name: &str, node: &Node| {
        let shape = node.shape.bind(&bindings);
        match node.dtype {
            DType::I32 if name == "lengths" => Tensor::new(shape, lengths.clone()),
            DType::I32 => Tensor::new(shape.clone(), vec![0i32; shape.iter().product()]),
            DType::F32 => Ok(Tensor::full(shape, 1.0)),
        }
    };
    let mut inputs = Vec::new();
    for node in graph.nodes() {
        if let Op::Input(name) = &node.op {
            inputs.push((name.clone(), plain(name, node)?));
        }
    }
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let ids: Vec<u64> = (0..size.examples as u64).collect();
    let random = StepRandom { seed: 0, epoch: 0, example_ids: &ids };
    let mut session = Session::new(cpu, graph, results);
    session.run(trainer.weights(), &inputs, &random)?;
    session.start_profile();
    for _ in 0..steps {
        session.run(trainer.weights(), &inputs, &random)?;
    }
    let (profile, graph) = (session.profile(), session.graph());
    let total: u64 = profile.iter().map(|(_, ns)| ns).sum();
    let line = |what: &str, ns: u64| {
        println!("{:9.3} ms  {:5.1} %  {what}", ns as f64 / steps as f64 / 1e6, 100.0 * ns as f64 / total.max(1) as f64)
    };
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for &(id, ns) in &profile {
        let node = graph.node(id);
        *kinds.entry(node.op.name().to_owned()).or_default() += ns;
        line(&format!("%{} {} {} in `{}`", id.0, node.op.name(), node.shape, graph.layer_name(node.layer)), ns);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    println!("by kind:");
    kinds.iter().for_each(|(kind, ns)| line(kind, *ns));
    line("all operations", total);
    Ok(())
}

/// The most memory that the process held, where the system tells.
fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Independent chains of multiply-adds: as many as hide the latency, each as wide as the widest register.
const CHAINS: usize = 12;
const LANES: usize = 16;

multiversion! {
    /// `rounds` multiply-adds on each lane of each chain. The chains are variables of their own, so that they stay in registers.
    fn multiply_adds(rounds: usize, chains: &mut [[f32; LANES]; CHAINS], factor: f32, term: f32) {
        let step = |chain: &mut [f32; LANES]| chain.iter_mut().for_each(|lane| *lane = lane.mul_add(factor, term));
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j, mut k, mut l] = *chains;
        for _ in 0..rounds {
            step(&mut a); step(&mut b); step(&mut c); step(&mut d); step(&mut e); step(&mut f);
            step(&mut g); step(&mut h); step(&mut i); step(&mut j); step(&mut k); step(&mut l);
        }
        *chains = [a, b, c, d, e, f, g, h, i, j, k, l];
    }
}

/// Multiply-adds per second on all threads at once, counted as two operations each: the best of five short runs.
fn peak_flops(cpu: &Cpu) -> f64 {
    // Without fused multiply-add in hardware, `mul_add` is a library call and says nothing.
    let rounds = if cpu.level() == Level::Baseline && cfg!(target_arch = "x86_64") { 1 << 12 } else { 1 << 22 };
    let per_thread = (rounds * CHAINS * LANES * 2) as f64;
    let once = || {
        let start = Instant::now();
        cpu.run(cpu.threads(), |thread| {
            let mut chains = [[thread as f32; LANES]; CHAINS];
            multiply_adds(cpu.level(), rounds, &mut chains, std::hint::black_box(0.999), std::hint::black_box(0.001));
            std::hint::black_box(chains);
        });
        per_thread * cpu.threads() as f64 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| once()).fold(0.0, f64::max)
}
