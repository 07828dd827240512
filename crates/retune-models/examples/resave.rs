//! Saves every golden model again as `.keras` and `.h5`, for another program to load: `resave OUTPUT_FOLDER`.

use std::path::Path;

use retune_models::{Model, ModelError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let output = std::env::args().nth(1).ok_or("usage: resave OUTPUT_FOLDER")?;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    for (group, file) in [("keras", "model.keras"), ("keras_legacy", "model.h5")] {
        for entry in std::fs::read_dir(golden.join(group))? {
            let case = entry?.path();
            if !case.join(file).exists() {
                continue;
            }
            let (model, _) = Model::load(case.join(file))?;
            let name = case.file_name().and_then(|name| name.to_str()).ok_or("a case without a name")?.to_owned();
            for extension in ["keras", "h5"] {
                match model.save(Path::new(&output).join(format!("{name}.{extension}"))) {
                    // The `hard_sigmoid` of Keras 2 cannot be written for Keras 3.
                    Err(error @ ModelError::Unsupported { .. }) => eprintln!("{name}: {error}"),
                    result => result?,
                }
            }
        }
    }
    Ok(())
}
