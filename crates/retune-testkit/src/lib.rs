//! Golden comparison, finite differences and tiny inputs for retune's tests.
