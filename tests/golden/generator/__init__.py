"""Makes the golden files: what the real Keras (and scikit-learn) compute, for the tests to compare with.

- `backend`  imports Keras on TensorFlow, on the CPU and with reproducible kernels
- `case`     what a case is: a name, a function that builds a model, its inputs and its tolerances
- `record`   runs a case and collects outputs, gradients, one optimizer step and statistics
- `files`    writes models, tensors and JSON so that the same content always gives the same bytes
- `cases/`   the Keras cases, one file per family of layers
- `legacy`   the cases that are saved as `.h5` by Keras 3 and by Keras 2
- `train/`   losses, optimizers, schedules and metrics
"""
