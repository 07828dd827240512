//! Models that the user names: files, folders, and addresses `hf://org/name[@revision]` of the Hugging Face Hub.
//!
//! The Hub is asked only with `--online`; without it an address stands for what the cache holds.

use super::failure::Failure;
use super::{Context, Result, paths};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use retune::Model;
use retune::hub::{Hub, HubAddress, HubError, Progress, Settings, model_files};
use retune::models::{LoadReport, adapter_base};
use retune::train::language::Said;
use retune::train::predict::Predictor;
use std::path::{Path, PathBuf};

/// Where a model is.
#[derive(Debug, Clone)]
pub struct Located {
    /// The file or folder.
    pub path: PathBuf,
    /// The address with the exact commit, of a model of the Hub.
    pub address: Option<String>,
}

/// Whether a path is meant as an address of the Hub.
pub fn is_address(path: &Path) -> bool {
    path.to_str().is_some_and(HubAddress::is_meant)
}

/// Where the model at a path or an address is; a model of the Hub is fetched into the cache where it is not there yet.
pub fn locate(context: &Context, path: &Path) -> Result<Located> {
    match path.to_str().filter(|text| HubAddress::is_meant(text)) {
        Some(text) => fetch(context, &text.parse()?),
        None => {
            paths::must_exist(path)?;
            Ok(Located { path: path.to_owned(), address: None })
        }
    }
}

/// The model at a path or an address. Of a folder of adapters it is the base with the adapters; a base that is no file here is taken
/// for a name on the Hub.
pub fn load(context: &Context, path: &Path) -> Result<(Model, LoadReport)> {
    let path = locate(context, path)?.path;
    if let Some(base) = adapter_base(&path)?
        && !Path::new(&base.name).exists()
        && !path.join(&base.name).exists()
        && let Ok(address) = base.address().parse::<HubAddress>()
    {
        let folder = fetch(context, &address)?.path;
        return Ok(Model::load(folder)?.0.with_adapter(path)?);
    }
    Ok(Model::load(path)?)
}

/// The model at a path or an address, ready to predict.
pub fn predictor(context: &Context, path: &Path) -> Result<Predictor> {
    Ok(Predictor::new(&context.cpu(), load(context, path)?.0)?)
}

fn fetch(context: &Context, address: &HubAddress) -> Result<Located> {
    let mut settings = Settings::from_environment();
    let may_ask = !settings.is_offline;
    settings.is_offline |= !context.is_online;
    let endpoint = settings.endpoint.clone();
    let mut shown = Download::new(context);
    let fetched = Hub::new(settings).fetch(address, model_files, &mut |progress| shown.show(progress));
    shown.finish();
    let path = fetched.map_err(|error| match error {
        HubError::Offline { what, cache } if may_ask => Failure::new(Said::new(
            format!("`{what}` is not in the cache at `{}`", cache.display()),
            format!("缓存 `{}` 中没有 `{what}`", cache.display()),
        ))
        .hint(format!("add `--online` to fetch it from `{endpoint}`, once")),
        other => other.into(),
    })?;
    let commit = path.file_name().unwrap_or_default().to_string_lossy();
    let address = format!("hf://{}@{commit}", address.repository());
    Ok(Located { path, address: Some(address) })
}

/// What is shown of a download: a bar on a terminal, and a line for each file that came.
struct Download<'a> {
    context: &'a Context,
    bar: ProgressBar,
    file: String,
}

impl<'a> Download<'a> {
    fn new(context: &'a Context) -> Download<'a> {
        Download { context, bar: ProgressBar::hidden(), file: String::new() }
    }

    fn show(&mut self, progress: Progress<'_>) {
        let Progress { file, received_bytes, total_bytes } = progress;
        if self.file != file {
            self.start(file, total_bytes);
        }
        self.bar.set_position(received_bytes);
        if received_bytes == total_bytes {
            self.bar.finish_and_clear();
            let size = super::text::bytes(total_bytes);
            self.context
                .console
                .said(&Said::new(format!("fetched `{file}`, {size}"), format!("已下载 `{file}`，{size}")));
        }
    }

    fn start(&mut self, file: &str, total_bytes: u64) {
        self.finish();
        self.file = file.to_owned();
        if self.context.console.shows_progress_bar() {
            let style = ProgressStyle::with_template("{prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}")
                .expect("the template is a constant")
                .progress_chars("━╸─");
            let target = ProgressDrawTarget::stderr_with_hz(10);
            self.bar = ProgressBar::with_draw_target(Some(total_bytes), target).with_style(style);
            self.bar.set_prefix(self.file.clone());
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
