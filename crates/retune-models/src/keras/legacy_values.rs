//! How Keras 1 arranged some weights differently. Gates of recurrent layers had arrays of their own, and convolutions over
//! sequences a height of 1.

use retune_tensor::Tensor;

/// Rearranges the tensors of one layer of a file as today's layer of this class has them.
pub(crate) fn rearrange(class: &str, tensors: Vec<Tensor>) -> Vec<Tensor> {
    match (class, tensors.len()) {
        // In files: input, cell, forget and output gate, each kernel, recurrent kernel and bias; today: i, f, c, o.
        ("LSTM", 12) => join_gates(&tensors, &[0, 2, 1, 3]),
        ("GRU", 9) => join_gates(&tensors, &[0, 1, 2]),
        ("Conv1D", _) => tensors.into_iter().map(without_height).collect(),
        _ => tensors,
    }
}

fn join_gates(tensors: &[Tensor], order: &[usize]) -> Vec<Tensor> {
    let joined: Option<Vec<Tensor>> = (0..3)
        .map(|part| join_last_axis(&order.iter().map(|gate| &tensors[3 * gate + part]).collect::<Vec<_>>()))
        .collect();
    joined.unwrap_or_else(|| tensors.to_vec())
}

/// Joins tensors of one shape along their last axis.
fn join_last_axis(parts: &[&Tensor]) -> Option<Tensor> {
    let shape = parts.first()?.shape();
    let (&last, leading) = shape.split_last()?;
    if parts.iter().any(|part| part.shape() != shape) || last == 0 {
        return None;
    }
    let values: Vec<Vec<f32>> = parts.iter().map(|part| part.to_f32_vec()).collect();
    let rows: usize = leading.iter().product();
    let joined: Vec<f32> = (0..rows)
        .flat_map(|row| values.iter().flat_map(move |v| v[row * last..(row + 1) * last].iter().copied()))
        .collect();
    Tensor::new([leading, &[last * parts.len()]].concat(), joined).ok()
}

/// `[length, 1, in, out]` → `[length, in, out]`.
fn without_height(tensor: Tensor) -> Tensor {
    match *tensor.shape() {
        [length, 1, inputs, outputs] => {
            let shape = [length, inputs, outputs];
            tensor.clone().reshaped(shape).unwrap_or(tensor)
        }
        _ => tensor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_of_a_keras_1_lstm_are_joined_in_todays_order() {
        let tensor = |value: f32| Tensor::new([2, 1], vec![value, value + 0.5]).unwrap();
        let bias = |value: f32| Tensor::new([1], vec![value]).unwrap();
        // i, c, f, o
        let tensors = (0..4).flat_map(|g| [tensor(g as f32), tensor(10.0 + g as f32), bias(20.0 + g as f32)]).collect();
        let joined = rearrange("LSTM", tensors);
        assert_eq!(joined[0].shape(), [2, 4]);
        assert_eq!(joined[0].as_f32().unwrap(), [0.0, 2.0, 1.0, 3.0, 0.5, 2.5, 1.5, 3.5]);
        assert_eq!(joined[2].as_f32().unwrap(), [20.0, 22.0, 21.0, 23.0]);
    }
}
