//! Reads a Keras file and writes it again: `keras_rewrite IN OUT`.
//!
//! Prints what the file contains. Keras must load the copy and compute the same with it.

use retune_formats::keras::KerasFile;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(input), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("two arguments are needed: the file to read and the file to write".into());
    };
    let file = KerasFile::read(input)?;
    println!("{:?}, written by Keras {}", file.layout, file.keras_version.as_deref().unwrap_or("(unknown)"));
    for (name, tensor) in file.weights.tensors() {
        println!("{name}: {} {:?}", tensor.dtype(), tensor.shape());
    }
    file.write(output)?;
    Ok(())
}
