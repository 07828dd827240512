//! Network architectures: from a file's description to a graph, and back.
