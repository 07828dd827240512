//! Running the binary, tiny data and recipes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What a command gave.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output of a command that must have succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The JSON object on standard output of a command that must have succeeded.
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Standard error of a command that must have failed with this code.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// A folder with tiny data, in which commands are run.
pub struct Workplace {
    folder: TempDir,
    /// Variables of the environment that commands are run in, beside those of the tests.
    environment: Vec<(String, String)>,
}

/// 8×8 digits, a network of two dense layers with dropout, augmentation: all that is random takes part.
pub const RECIPE: &str = r#"
[model]
input-shape = [8, 8, 1]
layers = [
    { class = "Flatten" },
    { class = "Dense", units = 16, activation = "relu" },
    { class = "Dropout", rate = 0.2 },
    { class = "Dense", units = 10, activation = "softmax" },
]

[data]
path = "digits.npz"

[preprocess]
scale = 0.0625

[augment]
rotation = 10.0

[optimizer]
kind = "adam"
learning-rate = 0.01

[train]
epochs = 3
batch-size = 16
"#;

/// Examples of the tiny data.
const EXAMPLES: usize = 240;

impl Workplace {
    /// A new folder with `digits.npz`, `digits.csv` and `tiny.toml`.
    pub fn new() -> Workplace {
        let place = Workplace { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        let (images, labels) = strokes();
        let mut csv = (0..64).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",") + ",label\n";
        for (image, label) in images.chunks(64).zip(&labels) {
            csv += &image.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
            csv += &format!(",{label}\n");
        }
        place.write("digits.csv", csv);
        let tensor = |shape: &[usize], values: Vec<u8>| retune::Tensor::new(shape, values).unwrap();
        let arrays = [("x", tensor(&[EXAMPLES, 8, 8, 1], images)), ("y", tensor(&[EXAMPLES], labels))];
        let path = place.path("digits.npz");
        retune::formats::npz::write(&path, arrays.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
        place.write("tiny.toml", RECIPE);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// With more variables of the environment.
    pub fn with_environment(mut self, variables: &[(&str, &str)]) -> Workplace {
        self.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retune"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("LC_ALL", "C");
        command.env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts the binary; its messages are kept.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Images of ten kinds: a bright stroke whose row and column tell the class, on a little noise.
fn strokes() -> (Vec<u8>, Vec<u8>) {
    let mut noise = 1u32;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for example in 0..EXAMPLES {
        let class = example % 10;
        for pixel in 0..64 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (row, column) = (pixel / 8, pixel % 8);
            let is_stroke = if class < 5 { row == class + 1 } else { column == class - 4 };
            images.push((noise >> 29) as u8 + if is_stroke { 9 } else { 0 });
        }
        labels.push(class as u8);
    }
    (images, labels)
}

/// A file of the golden tests.
pub fn golden(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(path);
    assert!(path.exists(), "{}", path.display());
    path.to_str().unwrap().to_owned()
}

/// An uncompressed 24-bit bitmap of one colour.
pub fn bitmap(width: u32, height: u32, [red, green, blue]: [u8; 3]) -> Vec<u8> {
    let row = (width as usize * 3).next_multiple_of(4);
    let size = 54 + row * height as usize;
    let mut bytes = b"BM".to_vec();
    for word in [size as u32, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    for _ in 0..height {
        let mut line: Vec<u8> = (0..width).flat_map(|_| [blue, green, red]).collect();
        line.resize(row, 0);
        bytes.extend(line);
    }
    bytes
}
