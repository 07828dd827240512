//! Fine-tune pretrained models: fast, accurately and honestly, without Python.
