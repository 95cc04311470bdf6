"""Healthy image files of thirty kinds, each made by a library of its field.

``KINDS`` maps a name to a function that writes a file of this kind into a folder. It returns what
to read (a path, perhaps with a selection), and the values that reading has to give; None where the
kind is not read, and a message has to name it and what to do.
"""

import gzip
import importlib
import io
import struct

import numpy as np
import PIL.Image
import pytest
import tifffile

HEIGHT, WIDTH = 24, 32
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
KINDS = {}


def kind(make):
    KINDS[make.__name__] = make
    return make


def library(name):
    """A library of its field; without it the test is skipped."""
    pytest.importorskip(name.partition(".")[0])
    return importlib.import_module(name)


def samples(dtype=np.uint8, *channels, seed=7):
    """A smooth picture with a little texture, over the whole range of an integer type."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shape = (HEIGHT, WIDTH, *channels)
    wave = np.sin(x / 5) * np.cos(y / 4)
    wave = wave.reshape(HEIGHT, WIDTH, *[1] * len(channels)) * rng.uniform(0.5, 1, channels)
    unit = np.clip(0.5 + 0.4 * wave + 0.02 * rng.standard_normal(shape), 0, 1)
    return (unit * np.iinfo(dtype).max).astype(dtype)


@kind
def png_of_8_bit(folder):
    PIL.Image.fromarray(samples()).save(folder / "a.png")
    return folder / "a.png", samples()


@kind
def png_of_16_bit_colour(folder):
    colour = samples(np.uint16, 3)
    (folder / "a.png").write_bytes(library("imagecodecs").png_encode(colour))
    return folder / "a.png", colour @ LUMINANCE


@kind
def png_with_palette(folder):
    picture = PIL.Image.fromarray(samples(np.uint8, 3)).quantize(16)
    picture.save(folder / "a.png")
    return folder / "a.png", np.asarray(picture.convert("RGB")) @ LUMINANCE


@kind
def jpeg_turned(folder):
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(samples()).save(folder / "a.jpg", exif=exif)
    return folder / "a.jpg", np.rot90(np.asarray(PIL.Image.open(folder / "a.jpg")), -1)


@kind
def bmp(folder):
    PIL.Image.fromarray(samples(np.uint8, 3)).save(folder / "a.bmp")
    return folder / "a.bmp", samples(np.uint8, 3) @ LUMINANCE


@kind
def gif(folder):
    PIL.Image.fromarray(samples()).save(folder / "a.gif")
    return folder / "a.gif", samples()


@kind
def webp(folder):
    PIL.Image.fromarray(samples(np.uint8, 3)).save(folder / "a.webp", lossless=True)
    return folder / "a.webp", samples(np.uint8, 3) @ LUMINANCE


@kind
def tiff_big_endian(folder):
    tifffile.imwrite(folder / "a.tif", samples(np.uint16), byteorder=">")
    return folder / "a.tif", samples(np.uint16)


@kind
def tiff_with_float_predictor(folder):
    values = samples().astype(np.float32) / 3
    tifffile.imwrite(folder / "a.tif", values, compression="zlib", predictor=True)
    return folder / "a.tif", values


@kind
def bigtiff_in_zstd_tiles(folder):
    options = {"bigtiff": True, "tile": (16, 16), "compression": "zstd"}
    tifffile.imwrite(folder / "a.tif", samples(np.uint16), **options)
    return folder / "a.tif", samples(np.uint16)


@kind
def tiff_of_imagej(folder):
    metadata = {"unit": "um", "spacing": 0.5, "axes": "ZYX"}
    volume = np.stack([samples(np.uint16, seed=seed) for seed in range(3)])
    tifffile.imwrite(folder / "a.tif", volume, imagej=True, resolution=(10, 10), metadata=metadata)
    return folder / "a.tif", volume


@kind
def tiff_of_ome(folder):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2}
    metadata |= {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(folder / "a.ome.tif", samples(np.uint16), metadata=metadata)
    return folder / "a.ome.tif", samples(np.uint16)


@kind
def npy_in_another_order(folder):
    np.save(folder / "a.npy", np.asfortranarray(samples(np.uint16).astype(">u2")))
    return folder / "a.npy", samples(np.uint16)


@kind
def npz(folder):
    np.savez_compressed(folder / "a.npz", image=samples(np.uint16))
    return folder / "a.npz", samples(np.uint16)


@kind
def fits_of_unsigned_integers(folder):
    fits = library("astropy.io.fits")
    fits.PrimaryHDU(samples(np.uint16)).writeto(folder / "a.fits")  # by BZERO = 32768
    return folder / "a.fits", samples(np.uint16)


@kind
def fits_extension_with_nan(folder):
    fits = library("astropy.io.fits")
    values = samples().astype(np.float32)
    values[3, 4:6] = np.nan
    parts = [fits.PrimaryHDU(), fits.ImageHDU(values, name="SCI")]
    fits.HDUList(parts).writeto(folder / "a.fits")
    return folder / "a.fits", values


@kind
def fits_in_tiles(folder):
    fits = library("astropy.io.fits")
    parts = [fits.PrimaryHDU(), fits.CompImageHDU(samples(np.int16), compression_type="RICE_1")]
    fits.HDUList(parts).writeto(folder / "a.fits.fz")
    return folder / "a.fits.fz", samples(np.int16)


@kind
def fits_scaled_and_packed(folder):
    fits = library("astropy.io.fits")
    hdu = fits.PrimaryHDU(samples(np.int16))
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.25, 100.0
    packed = io.BytesIO()
    fits.HDUList([hdu]).writeto(packed, output_verify="ignore")
    (folder / "a.fits.gz").write_bytes(gzip.compress(packed.getvalue()))
    with fits.open(folder / "a.fits.gz") as hdus:
        return folder / "a.fits.gz", np.array(hdus[0].data)


@kind
def nifti(folder):
    nibabel = library("nibabel")
    volume = np.stack([samples(np.int16, seed=seed) for seed in range(4)])
    image = nibabel.Nifti1Image(volume, np.diag([2.0, 2.0, 4.0, 1.0]))
    image.header.set_xyzt_units("mm")
    image.to_filename(folder / "a.nii")
    return folder / "a.nii", volume


@kind
def nifti_scaled_and_packed(folder):
    nibabel = library("nibabel")
    volume = np.stack([samples(np.int16, seed=seed) for seed in range(4)])
    image = nibabel.Nifti2Image(volume, np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(folder / "a.nii.gz")
    return folder / "a.nii.gz", np.asarray(nibabel.load(folder / "a.nii.gz").dataobj)


@kind
def zarr_array(folder):
    zarr = library("zarr")
    made = zarr.create_array(folder / "a.zarr", shape=(HEIGHT, WIDTH), dtype="u2", zarr_format=2)
    made[:] = samples(np.uint16)
    return folder / "a.zarr", samples(np.uint16)


@kind
def zarr_of_ome(folder):
    zarr = library("zarr")
    group = zarr.create_group(folder / "a.ome.zarr", zarr_format=3)
    made = group.create_array("0", shape=(1, HEIGHT, WIDTH), dtype="f4", chunks=(1, 16, 16))
    made[0] = samples() / 7
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = {"type": "scale", "scale": [1.0, 0.2, 0.1]}
    levels = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    return folder / "a.ome.zarr", (samples() / 7).astype(np.float32)


@kind
def pgm_of_16_bit(folder):
    PIL.Image.fromarray(samples(np.uint16)).save(folder / "a.pgm")
    return folder / "a.pgm", samples(np.uint16)


@kind
def ppm_of_16_bit(folder):
    colour = samples(np.uint16, 3)
    start = b"P6\n# by hand: Pillow writes 8 bit\n%d %d\n65535\n" % (WIDTH, HEIGHT)
    (folder / "a.ppm").write_bytes(start + colour.astype(">u2").tobytes())
    return folder / "a.ppm", colour @ LUMINANCE


@kind
def avif(folder):
    PIL.Image.fromarray(samples(np.uint8, 3)).save(folder / "a.avif")
    with PIL.Image.open(folder / "a.avif") as opened:
        return folder / "a.avif", np.asarray(opened) @ LUMINANCE


@kind
def heic(folder):
    heif = library("pillow_heif")
    picture = PIL.Image.fromarray(samples(np.uint8, 3))
    heif.from_pillow(picture).save(folder / "a.heic")
    opened = heif.open_heif(folder / "a.heic")  # it owns the memory of its array
    return folder / "a.heic", np.asarray(opened) @ LUMINANCE


@kind
def jpeg_2000_of_16_bit(folder):
    (folder / "a.jp2").write_bytes(library("imagecodecs").jpeg2k_encode(samples(np.uint16)))
    return folder / "a.jp2", None


@kind
def hdf5(folder):
    # The superblock of an empty file: enough to be known.
    (folder / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2040))
    return folder / "a.h5", None


@kind
def dicom(folder):
    (folder / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(200))
    return folder / "a.dcm", None


@kind
def openexr(folder):
    (folder / "a.exr").write_bytes(struct.pack("<II", 20000630, 2) + bytes(200))
    return folder / "a.exr", None


assert len(KINDS) == 30
