//! SimpleRNN, LSTM, GRU and RNN over sequences `[batch, steps, features]`, unrolled over time.
//!
//! A masked step leaves the states as they are and repeats the output of the step before (or gives 0, with
//! `zero_output_for_mask`).

use std::cell::RefCell;

use retune_graph::{Dim, NodeId, Shape};
use serde_json::Value as Json;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, snake_case};
use super::Lower;
use super::cells::Cell;
use crate::error::Result;
use crate::report::Note;

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Recurrent {
    /// One cell, or several on top of each other.
    cells: Vec<Cell>,
    stacked: bool,
    pub(crate) return_sequences: bool,
    pub(crate) return_state: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
}

impl Recurrent {
    /// Reads SimpleRNN, LSTM or GRU.
    pub(crate) fn read(f: &Fields<'_>) -> Result<Recurrent> {
        let cell = Cell::read(f)?;
        Recurrent::around(f, vec![cell], false)
    }

    /// Reads RNN, whose cells are described inside.
    pub(crate) fn of_cells(f: &Fields<'_>) -> Result<Recurrent> {
        let described = f.get("cell").ok_or_else(|| f.wrong("cell", "a cell"))?;
        let stack = described.get("class_name").is_some_and(|class| class == "StackedRNNCells");
        let list: Vec<&Json> = match stack {
            true => {
                let cells = described.get("config").and_then(|config| config.get("cells")).and_then(Json::as_array);
                cells.ok_or_else(|| f.wrong("cell", "a list `cells`"))?.iter().collect()
            }
            false => vec![described],
        };
        let cells = list.into_iter().map(|cell| inner_cell(f, cell)).collect::<Result<Vec<Cell>>>()?;
        if cells.is_empty() {
            return Err(f.wrong("cell", "at least one cell"));
        }
        f.get("unroll");
        Recurrent::around(f, cells, stack)
    }

    fn around(f: &Fields<'_>, cells: Vec<Cell>, stacked: bool) -> Result<Recurrent> {
        if f.flag("stateful", false)? {
            return Err(f.unsupported(
                "a layer whose state goes on from batch to batch (`stateful`)",
                "build the layer with `stateful=False`, copy the weights and save the model again",
            ));
        }
        Ok(Recurrent {
            cells,
            stacked,
            return_sequences: f.flag("return_sequences", false)?,
            return_state: f.flag("return_state", false)?,
            go_backwards: f.flag("go_backwards", false)?,
            zero_output_for_mask: f.flag("zero_output_for_mask", false)?,
        })
    }

    pub(crate) fn is_random(&self) -> bool {
        self.cells.iter().any(Cell::is_random)
    }

    /// Number of all states.
    pub(crate) fn state_count(&self) -> usize {
        self.cells.iter().map(Cell::state_count).sum()
    }

    /// Runs over `x`: the output (the whole sequence if `return_sequences`, else the last step's), then all last states.
    pub(crate) fn run(
        &self,
        b: &mut Lowering<'_>,
        x: NodeId,
        mask: Option<NodeId>,
        initial: Option<&[NodeId]>,
    ) -> Result<(NodeId, Vec<NodeId>)> {
        if initial.is_some_and(|states| states.len() != self.state_count()) {
            let found = initial.map_or(0, <[NodeId]>::len);
            return Err(b.wrong_inputs(format!("{} initial states", self.state_count()), found.to_string()));
        }
        let (mut x, mut mask) = (x, mask);
        if self.go_backwards {
            x = b.graph.reverse(x, 1)?;
            mask = mask.map(|mask| b.graph.reverse(mask, 1)).transpose()?;
        }
        let mut initial = initial.map(<[NodeId]>::to_vec);
        let mut states = Vec::new();
        let mut counts = std::collections::HashMap::new();
        for (i, cell) in self.cells.iter().enumerate() {
            let own: Option<Vec<NodeId>> = initial.as_mut().map(|all| all.drain(..cell.state_count()).collect());
            let is_last = i + 1 == self.cells.len();
            let count = counts.entry(cell.name()).or_insert(0usize);
            let name = if *count == 0 { cell.name().to_owned() } else { format!("{}_{count}", cell.name()) };
            *count += 1;
            let attribute = if self.stacked { format!("cell/cells/{}", snake_case(&name)) } else { "cell".to_owned() };
            let (output, own) =
                b.part(&attribute, &name, |b| self.run_cell(b, cell, x, mask, own.as_deref(), is_last))?;
            x = output;
            states.extend(own);
        }
        Ok((x, states))
    }

    fn run_cell(
        &self,
        b: &mut Lowering<'_>,
        cell: &Cell,
        x: NodeId,
        mask: Option<NodeId>,
        initial: Option<&[NodeId]>,
        is_last: bool,
    ) -> Result<(NodeId, Vec<NodeId>)> {
        let steps = b.fixed(x, 1)?;
        if steps == 0 {
            return Err(b.wrong_inputs("at least one step", "none"));
        }
        let weights = cell.prepare(b, x)?;
        let width = b.fixed(weights.projected, 2)?;
        let state = Shape::new([b.graph.shape(x)[0], Dim::Fixed(cell.units)]);
        let mut states = match initial {
            Some(states) => states.to_vec(),
            None => (0..cell.state_count()).map(|_| b.graph.fill(state.clone(), 0.0)).collect(),
        };
        let mut output = b.graph.fill(state, 0.0);
        let mut outputs = Vec::with_capacity(steps);
        for step in 0..steps {
            let now = b.graph.slice(weights.projected, 1, step, 1)?;
            let now = b.reshape_rows(now, &[width])?;
            let mut new = cell.step(b, &weights, now, &states)?;
            if let Some(mask) = mask {
                let counts = b.graph.slice(mask, 1, step, 1)?;
                let raw = new[0];
                for (new, &old) in new.iter_mut().zip(&states) {
                    *new = b.select(counts, *new, old)?;
                }
                output = if self.zero_output_for_mask && is_last {
                    b.graph.mul(raw, counts)?
                } else {
                    b.select(counts, raw, output)?
                };
            } else {
                output = new[0];
            }
            states = new;
            if self.return_sequences || !is_last {
                outputs.push(b.expand(output, 1)?);
            }
        }
        if self.return_sequences || !is_last {
            output = b.graph.concat(&outputs, 1)?;
        }
        Ok((output, states))
    }
}

/// Reads a cell that is described inside a layer.
fn inner_cell(f: &Fields<'_>, described: &Json) -> Result<Cell> {
    let class = described.get("class_name").and_then(Json::as_str);
    let config = described.get("config").and_then(Json::as_object);
    let (Some(class), Some(config)) = (class, config) else { return Err(f.wrong("cell", "a described cell")) };
    let notes: &RefCell<Vec<Note>> = f.notes();
    let fields = Fields::new(f.layer, class, config, notes);
    let cell = Cell::read(&fields)?;
    fields.finish()?;
    Ok(cell)
}

impl Lower for Recurrent {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let (x, initial) = sequence_and_states(b, arguments)?;
        let mask = b.mask(arguments)?;
        let (node, states) = self.run(b, x, mask, initial.as_deref())?;
        let mut outputs = vec![Value { node, mask: mask.filter(|_| self.return_sequences) }];
        if self.return_state {
            outputs.extend(states.into_iter().map(Value::from));
        }
        Ok(outputs)
    }
}

/// The sequence of a call, and its initial states if there are any: by name, or behind the sequence.
pub(crate) fn sequence_and_states(
    b: &mut Lowering<'_>,
    arguments: &Arguments<Value>,
) -> Result<(NodeId, Option<Vec<NodeId>>)> {
    let tensors = arguments.tensors();
    let (first, rest) = match tensors.as_slice() {
        [first, rest @ ..] => (first.node, rest),
        [] => return Err(b.wrong_inputs("a sequence", "no input")),
    };
    let x = b.float(first)?;
    if b.graph.shape(x).rank() != 3 {
        return Err(b.wrong_inputs("[batch, steps, features]", b.graph.shape(x).to_string()));
    }
    let given: Vec<NodeId> = match arguments.get("initial_state") {
        Some(states) => states.tensors().iter().map(|value| value.node).collect(),
        None => rest.iter().map(|value| value.node).collect(),
    };
    Ok((x, (!given.is_empty()).then_some(given)))
}
