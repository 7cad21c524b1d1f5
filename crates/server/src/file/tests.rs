//! Faults put into each step, and what is not seen from outside.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use super::disk::Step;

/// Decides what a step comes to. Counts them.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<State>>);

type Rule = Box<dyn FnMut(Step) -> bool + Send>;

#[derive(Default)]
struct State {
    steps: HashMap<Step, u64>,
    fails: Option<Rule>,
}

impl Faults {
    pub(super) fn step(&self, step: Step) -> io::Result<()> {
        let state = &mut *self.0.lock().unwrap();
        *state.steps.entry(step).or_default() += 1;
        let fails = state.fails.as_mut().is_some_and(|fails| fails(step));
        match fails {
            true => Err(io::Error::other("put in by a test")),
            false => Ok(()),
        }
    }
}
