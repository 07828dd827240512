//! A step that is planned allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use retune_cpu::{Cpu, Session, StepRandom};
use retune_graph::Op;
use retune_tensor::Tensor;
use retune_testkit::cases;

thread_local! {
    /// Allocations of this thread since counting began, or `None` while they are not counted.
    static COUNT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The system's allocator, which counts for those threads that ask.
struct Counting;

impl Counting {
    fn count() {
        // A thread that ends has no counter any more, and nothing to count.
        let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
    }
}

// SAFETY: all requests go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::count();
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(data, layout) }
    }

    unsafe fn realloc(&self, data: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counting::count();
        // SAFETY: as above.
        unsafe { System.realloc(data, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread while `f` runs.
fn allocations<R>(f: impl FnOnce() -> R) -> (usize, R) {
    COUNT.set(Some(0));
    let result = f();
    (COUNT.take().unwrap_or(0), result)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Vec::<u8>::with_capacity(10)).0, 1);
}

/// With one thread, everything runs on this one, so nothing escapes the counter. With more, it sees the scheduling.
#[test]
fn a_planned_step_allocates_nothing() {
    for case in cases::all() {
        let (graph, outputs) = crate::graphs::outputs(&case, true);
        let point = case.check.point(&graph);
        let weights: Vec<Tensor> = point.weights.iter().map(|w| w.to_f32()).collect();
        let is_integer = |name: &str| {
            let mut nodes = graph.nodes().iter();
            nodes.any(|n| matches!(&n.op, Op::Input(input) if input == name) && n.dtype == retune_graph::DType::I32)
        };
        let inputs: Vec<(&str, Tensor)> = (point.inputs.iter())
            .map(|(name, x)| (name.as_str(), if is_integer(name) { x.to_i32() } else { x.to_f32() }))
            .collect();
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let keys = point.random();
        let random = StepRandom { seed: keys.seed, epoch: keys.epoch, example_ids: keys.example_ids };
        for threads in [1, 2] {
            let mut session = Session::new(&Cpu::new(threads), graph.clone(), outputs.clone());
            session.run(&weights, &inputs, &random).unwrap();
            let (count, _) = allocations(|| session.run(&weights, &inputs, &random).map(|outputs| outputs.len()));
            assert_eq!(count, 0, "{}, {threads} threads", case.name);
        }
    }
}
