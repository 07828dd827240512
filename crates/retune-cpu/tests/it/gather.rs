//! Rows of a table, and the sum of their gradients.

use retune_cpu::{Cpu, CpuError, Session, StepRandom};
use retune_graph::ops::{Gather, ScatterAdd};
use retune_graph::{DType, Graph, Shape};
use retune_tensor::Tensor;

use crate::case::{Case, check_all, indices, normal};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let settings: [(usize, usize, &[usize]); 5] =
        [(1, 1, &[1]), (10, 7, &[4, 3]), (500, 64, &[32, 100]), (3, 2000, &[5, 40]), (2000, 100, &[9])];
    for (rows, width, ids) in settings {
        cases.push(Case::new(Gather, [normal(1, &[rows, width]), indices(2, ids, rows)]));
        let dy: Vec<usize> = ids.iter().copied().chain([width]).collect();
        let scatter = Case::new(ScatterAdd { rows }, [indices(3, ids, rows), normal(4, &dy)]);
        cases.push(scatter.with_tolerance(1e-5, 1e-4));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

#[test]
fn an_index_outside_of_the_table_is_an_error_that_names_the_layer() {
    for is_gradient in [false, true] {
        let mut graph = Graph::new();
        let ids = graph.input("ids", Shape::batch_of(&[2]), DType::I32);
        graph.enter_layer("embedding");
        let output = if is_gradient {
            let dy = graph.fill(Shape::batch_of(&[2, 3]), 1.0);
            graph.push(ScatterAdd { rows: 5 }.into(), &[ids, dy]).unwrap()
        } else {
            let table = graph.fill(Shape::fixed(&[5, 3]), 1.0);
            graph.gather(table, ids).unwrap()
        };
        let mut session = Session::new(&Cpu::new(1), graph, vec![output]);
        for wrong in [5, -1] {
            let ids = Tensor::new([1, 2], vec![4, wrong]).unwrap();
            let error = session.run(&[], &[("ids", &ids)], &StepRandom::NONE).unwrap_err();
            let layer = "embedding".to_owned();
            assert_eq!(error, CpuError::IndexOutOfRange { layer, index: i64::from(wrong), limit: 5 });
        }
        let ids = Tensor::new([1, 2], vec![4, 0]).unwrap();
        assert!(
            session.run(&[], &[("ids", &ids)], &StepRandom::NONE).is_ok(),
            "a failed run leaves the session usable"
        );
    }
}
