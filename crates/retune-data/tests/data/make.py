"""Makes the files beside it, with pyarrow and Pillow:  python make.py

    pip install pyarrow==26.0.1 pillow==13.0.0 numpy==2.4.6

`tables/` holds Parquet and Arrow files as the Hugging Face Hub and `datasets` have them. `images/` holds images in every form, and
beside each `<name>.png`, which is what Pillow makes of it: turned as EXIF says (`ImageOps.exif_transpose`), 8 bits a channel, grey,
red-green-blue or either with alpha.
"""

import io
import json
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES, IMAGES = os.path.join(HERE, "tables"), os.path.join(HERE, "images")
os.makedirs(TABLES, exist_ok=True)
os.makedirs(IMAGES, exist_ok=True)


def features(**kinds):
    """The Hub's description of features."""
    return {"huggingface": json.dumps({"info": {"features": kinds}})}


def class_label(*names):
    return {"names": list(names), "_type": "ClassLabel"}


STRING = {"dtype": "string", "_type": "Value"}


def picture(height, width, shift=0):
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([(x * 11 + shift * 40) % 256, (y * 13 + shift * 20) % 256, (x * y + 60 * shift) % 256], -1)
    return Image.fromarray(rgb.astype(np.uint8))


def smooth(height, width):
    """Soft enough that all JPEG decoders agree on its colours at half size."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([40 + 4 * x, 30 + 5 * y, 200 - 2 * x - 2 * y], -1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def encoded(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def tables():
    def table(columns, **kinds):
        result = pa.table(columns)
        return result.replace_schema_metadata(features(**kinds)) if kinds else result

    def parquet(name, data, **options):
        pq.write_table(data, os.path.join(TABLES, name), **options)

    reviews = table(
        {
            "idx": pa.array(range(6), pa.int32()),
            "text": pa.array(["a fine film", "很快，好吃", None, " ", "dull and long", "good"]),
            "label": pa.array([1, 1, 0, 0, 0, -1], pa.int64()),
        },
        text=STRING, label=class_label("neg", "pos"),
    )
    for compression in ["none", "snappy", "zstd", "lz4", "gzip"]:
        parquet(f"reviews-{compression}.parquet", reviews, compression=compression)
    for name, codec in [("reviews.feather", "lz4"), ("reviews-zstd.feather", "zstd"), ("reviews-plain.feather", "uncompressed")]:
        pyarrow.feather.write_feather(reviews, os.path.join(TABLES, name), compression=codec)
    with pa.ipc.new_stream(os.path.join(TABLES, "reviews-stream.arrow"), reviews.schema) as out:
        for batch in reviews.to_batches(max_chunksize=4):
            out.write_batch(batch)
    pairs = table({
        "sentence1": pa.array(["a b", "c d", "e f", "g h"], pa.large_string()),
        "sentence2": pa.array(["i", "j", "k", "l"], pa.string_view()),
        "label": pa.array([0.5, 1.25, 5.0, 3.75], pa.float32()),
    })
    parquet("pairs.parquet", pairs)
    parquet("kinds.parquet", table({
        "text": pa.array(["one thing", "another thing", "a third thing", "a fourth thing"]),
        "dictionary": pa.array(["x", "y", "x", "x"]).dictionary_encode(),
        "truth": pa.array([True, False, True, True]),
        "names": pa.array([["a", "b"], [], ["b"], ["c"]]),
        "numbers": pa.array([[0], [2, 1], [], [1]], pa.list_(pa.int8())),
        "vector": pa.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]], pa.list_(pa.uint8(), 3)),
        "tags": pa.array([[0, 2], [1], [], [2]], pa.large_list(pa.int64())),
        "float": pa.array([0.1, 2.5, float("nan"), None], pa.float64()),
        "when": pa.array([0, 1, 2, 3], pa.timestamp("s")),
    }, tags={"feature": class_label("joy", "anger", "fear"), "_type": "Sequence"}))
    parquet("numbers.parquet", table({
        "a": pa.array([1.5, 2.5, None, 4.5]),
        "b": pa.array([1, 2, 3, 4], pa.uint16()),
        "label": pa.array([0, 1, 0, 1], pa.int8()),
    }))
    parquet("words.parquet", table({
        "tokens": pa.array([["Angela", "left", "."], ["Paris"]]),
        "ner_tags": pa.array([[1, 0, 0], [2]]),
    }, tokens={"feature": STRING, "_type": "Sequence"}, ner_tags={"feature": class_label("O", "B-PER", "B-LOC"), "_type": "List"}))
    images = [
        {"bytes": encoded(picture(6, 5, shift), format="PNG"), "path": f"{shift}.png"} for shift in range(3)
    ] + [{"bytes": b"no image", "path": None}, None]
    parquet("images.parquet", table(
        {"image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), "label": [0, 1, 1, 0, 1]},
        image={"_type": "Image"}, label=class_label("cat", "dog"),
    ))


def exif(orientation):
    """EXIF data with nothing but an orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + b"\0\0\0\0"


def images():
    def save(name, image, **options):
        path = os.path.join(IMAGES, name)
        image.save(path, **options)
        again(path)

    def again(path):
        image = ImageOps.exif_transpose(Image.open(path))
        if image.mode in ("I;16", "I;16B", "I"):
            # Pillow's own conversion cuts values off at 255.
            image = Image.fromarray(np.round(np.asarray(image) / 257.0).astype(np.uint8))
        elif image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        elif image.mode == "1":
            image = image.convert("L")
        elif image.mode in ("CMYK", "YCbCr"):
            image = image.convert("RGB")
        image.save(path + ".png")

    colors, soft = picture(9, 14), smooth(20, 28)
    save("grey.jpg", soft.convert("L"), quality=95)
    save("ycbcr-444.jpg", soft, quality=95, subsampling=0)
    save("ycbcr-420.jpg", soft, quality=95, subsampling=2)
    save("progressive.jpg", soft, quality=95, progressive=True)
    save("cmyk.jpg", soft.convert("CMYK"), quality=95)
    for orientation in range(1, 9):
        save(f"orientation-{orientation}.jpg", smooth(12, 20), quality=98, subsampling=0, exif=exif(orientation))
    save("orientation-6.png", colors, exif=exif(6)[6:])
    save("orientation-6.webp", colors, lossless=True, exif=exif(6))
    save("orientation-6.tif", colors, tiffinfo={0x0112: 6})
    alpha = colors.copy()
    alpha.putalpha(Image.fromarray((np.mgrid[0:9, 0:14][1] * 18).astype(np.uint8)))
    deep = np.arange(9 * 14, dtype=np.uint16).reshape(9, 14) * 519
    save("rgb.png", colors)
    save("grey.png", colors.convert("L"))
    save("grey-16.png", Image.fromarray(deep))
    save("grey-alpha.png", alpha.convert("LA"))
    save("rgba.png", alpha)
    save("palette.png", colors.quantize(16))
    transparent = colors.quantize(16)
    save("palette-alpha.png", transparent, transparency=3)
    save("bits.png", colors.convert("1"))
    save("lossless.webp", colors, lossless=True)
    save("lossy.webp", soft, quality=90)
    save("alpha.webp", alpha, lossless=True, exact=True)
    frames = [picture(9, 14, shift).quantize(16) for shift in range(2)]
    save("frames.gif", frames[0], save_all=True, append_images=frames[1:])
    save("rgb.bmp", colors)
    save("palette.bmp", colors.quantize(16))
    save("rgb.tif", colors)
    save("lzw.tif", colors, compression="tiff_lzw")
    save("grey-16.tif", Image.fromarray(deep))
    save("rgba.tif", alpha)
    save("cmyk.tif", colors.convert("CMYK"))


tables()
images()
