"""Generates the files in this folder: `python generate.py` (keras 3.15.1, tensorflow-cpu 2.21, h5py, numpy; seed 0).

model.h5, model.keras, model.weights.h5: one small trained functional model with a nested model, BatchNormalization,
optimizer state and a mixed bag of layers, in the three layouts of Keras 3. weights_only.h5: its weights as Keras 2's
`save_weights` stored them. expected.npz: every weight by its path, to compare with. types.h5: every number type in both
byte orders, chunked and compressed data, scalars, empty arrays. parts.h5: names cut into several attributes.
cycle.h5: groups linked in a circle. user_block.h5, user_block_latest.h5: weights behind a user block; the superblock is
of version 0 with addresses of 4 bytes, and of version 3. soft_link.h5, external_link.h5: weights behind links.
empty.keras: a model without weights. numbers.npz, *.npy: arrays as numpy stores them. batch_p<protocol>.pickle: a
CIFAR-10 batch of two images by each pickle protocol; batch_py2.pickle: the same as Python 2 wrote it. evil.pickle:
would run a command when unpickled.
"""

import os
import pickle
import pickletools

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import keras
import ml_dtypes
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)


def model():
    inputs = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(3, 3, name="first")(inputs)
    x = layers.BatchNormalization()(x)
    x = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(2, 1), layers.Dropout(0.1)], name="nested")(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(2, activation="softmax", name="head")(x)
    net = keras.Model(inputs, outputs, name="tiny")
    net.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    net.fit(rng.normal(size=(4, 6, 6, 2)), np.array([0, 1, 0, 1]), epochs=1, verbose=0)
    return net


net = model()
net.save("model.h5")
net.save("model.keras")
net.save_weights("model.weights.h5")
np.savez("expected.npz", **{w.path: w.numpy() for w in net.weights})
with h5py.File("model.h5") as whole, h5py.File("weights_only.h5", "w") as weights:
    group = whole["model_weights"]
    for key, value in group.attrs.items():
        weights.attrs[key] = value
    for name in group:
        group.copy(name, weights)
keras.Sequential([keras.Input((2,)), layers.Flatten()]).save("empty.keras")

TYPES = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split()
with h5py.File("types.h5", "w") as f:
    for name in TYPES:
        f[f"little/{name}"] = np.arange(6).reshape(2, 3).astype("<" + name)
        f[f"big/{name}"] = np.arange(6).reshape(2, 3).astype(">" + name)
    f["bool"] = np.array([True, False])
    f.create_dataset("bfloat16", data=np.arange(4).astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"
    grid = np.arange(2500, dtype="f4").reshape(50, 50)
    f.create_dataset("gzip", data=grid, chunks=(10, 10), compression="gzip", shuffle=True)
    f.create_dataset("lzf", data=grid, chunks=(7, 50), compression="lzf", fletcher32=True)
    f["scalar"] = np.float32(3)
    f["empty"] = np.zeros((0, 3), "f4")
    f["text"] = ["a", "b"]
    f["compound"] = np.zeros(2, dtype=[("x", "f4"), ("y", "i4")])
    f.create_dataset("bomb", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,), compression="gzip")
    f.attrs["fixed"] = np.bytes_("abc")
    f.attrs["list"] = np.array([b"a", b"bcd"])
    f.attrs["one"] = np.array([b"a"])
    f.attrs["variable"] = ["x", "yz"]
    f.attrs["none"] = []
    f.attrs["number"] = 3

with h5py.File("parts.h5", "w") as f:
    f.attrs["layer_names0"] = np.array([b"a", b"b"])
    f.attrs["layer_names1"] = np.array([b"c"])
    for name in "abc":
        f.create_group(name).attrs["weight_names"] = np.array([f"{name}/kernel:0".encode()])
        f[f"{name}/{name}/kernel:0"] = np.full(2, ord(name), "f4")

with h5py.File("cycle.h5", "w") as f:
    f["layers/dense/vars/0"] = np.zeros(1, "f4")
    for i in range(8):
        f[f"layers/dense/again{i}"] = f["layers"]

with h5py.File("soft_link.h5", "w") as f:
    f["layers/dense/vars/0"] = np.zeros(1, "f4")
    f["layers/dense/vars/1"] = h5py.SoftLink("/layers/dense/vars/1")
with h5py.File("external_link.h5", "w") as f:
    f["layers/dense/vars/0"] = np.zeros(1, "f4")
    f["layers/dense/vars/1"] = h5py.ExternalLink("/etc/passwd", "/")

properties = h5py.h5p.create(h5py.h5p.FILE_CREATE)
properties.set_userblock(512)
properties.set_sizes(4, 4)
with h5py.File(h5py.h5f.create(b"user_block.h5", fcpl=properties)) as f:
    f["layers/dense/vars/0"] = np.arange(3, dtype="f4")
with h5py.File("user_block_latest.h5", "w", userblock_size=2048, libver="latest") as f:
    f["layers/dense/vars/0"] = np.arange(3, dtype="f4")

numbers = {name: np.arange(6).reshape(2, 3).astype(name) for name in TYPES + ["?"]}
np.savez_compressed("numbers.npz", **numbers, big=np.arange(6, dtype=">f4").reshape(2, 3))
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype="f8").reshape(2, 3, 4)))
np.save("scalar.npy", np.float32(2.5))
np.save("object.npy", np.array([{"a": 1}], dtype=object))
with open("version2.npy", "wb") as f:
    np.lib.format.write_array(f, np.arange(3, dtype="i4"), version=(2, 0))
with open("version3.npy", "wb") as f:
    np.lib.format.write_array(f, np.arange(3, dtype="i4"), version=(3, 0))

pixels = (np.arange(2 * 3072) % 251).astype("u1").reshape(2, 3072)
batch = {b"batch_label": b"training batch 1 of 5", b"labels": [6, 9], b"data": pixels, b"filenames": [b"a.png", b"b.png"]}
for protocol in range(6):
    with open(f"batch_p{protocol}.pickle", "wb") as f:
        pickle.dump(batch, f, protocol)

# Python 2's protocol 2, as in the published CIFAR-10: `str` keys by BINSTRING opcodes, numpy.core's old module names,
# the pixels as one byte string, integers by BININT1.
BININT1 = lambda value: b"K" + bytes([value])
TEXT = lambda text: b"U" + bytes([len(text)]) + text
LONG_TEXT = lambda text: b"T" + len(text).to_bytes(4, "little") + text
python2 = (
    b"\x80\x02}q\x01(" + TEXT(b"data") + b"q\x02"
    + b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85" + TEXT(b"b") + b"\x87Rq\x05"
    + b"(K\x01" + BININT1(2) + b"M" + (3072).to_bytes(2, "little") + b"\x86"
    + b"cnumpy\ndtype\nq\x06" + TEXT(b"u1") + b"K\x00K\x01\x87Rq\x07"
    + b"(K\x03" + TEXT(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + LONG_TEXT(pixels.tobytes()) + b"tb"
    + TEXT(b"labels") + b"q\x08]q\x09(K\x06K\x09e" + TEXT(b"batch_label") + TEXT(b"training batch 1 of 5")
    + TEXT(b"filenames") + b"](" + TEXT(b"a.png") + TEXT(b"b.png") + b"eu."
)
loaded = pickle.loads(python2, encoding="bytes")
assert (loaded[b"data"] == pixels).all() and loaded[b"labels"] == [6, 9]
with open("batch_py2.pickle", "wb") as f:
    f.write(python2)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


with open("evil.pickle", "wb") as f:
    pickle.dump({b"data": Evil()}, f, 2)
pickletools.dis(open("evil.pickle", "rb").read(), out=open(os.devnull, "w"))
