"""What files say about how they were made. Pillow is the independent reader and writer."""

import io
import json
import struct
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from imagegen_server.metadata import exif, files
from imagegen_server.metadata.errors import UnreadableFile
from imagegen_server.metadata.files import Embedded

COMFYUI = (Path(__file__).parents[1] / "recordings/comfyui/output.png").read_bytes()
"""What ComfyUI 0.3.64 wrote, with smaller pixels."""
TEXT = "a cat\nSteps: 5, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x72"
ABROAD = "кошка 猫 🐈\nSteps: 5, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x72"
SECRET = "Tr0ub4dor"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "text": SECRET}}}
FORMATS = ["PNG", "JPEG", "WEBP"]


def painting(size: tuple[int, int] = (24, 16), mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, size)
    image.putdata([(x * 9 % 256, x * 5 % 256, x % 256, 128)[: len(mode)] for x in range(size[0] * size[1])])
    return image


def saved(format_name: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or painting()).save(buffer, format_name, **options)
    return buffer.getvalue()


def exif_of_pillow(tags: Mapping[Any, Any], comment: bytes = b"") -> bytes:
    made = Image.Exif()
    made.update(tags)
    if comment:
        made.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base.ExifVersion: b"0230", ExifTags.Base.UserComment: comment})
    return made.tobytes()


def pixels(data: bytes) -> list[bytes]:
    """Of all frames."""
    with Image.open(io.BytesIO(data)) as image:
        frames = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frames.append(image.convert("RGBA").tobytes())
        return frames


def info(data: bytes) -> dict[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return dict(image.info)


def exif_as_pillow_reads_it(data: bytes) -> tuple[dict[int, Any], bytes]:
    with Image.open(io.BytesIO(data)) as image:
        found = image.getexif()
        return dict(found), found.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")


def with_texts(*texts: tuple[str, str], zip_them: bool = False) -> bytes:
    pnginfo = PngImagePlugin.PngInfo()
    for key, text in texts:
        pnginfo.add_text(key, text, zip=zip_them)
    return saved("PNG", pnginfo=pnginfo)


def talkative(format_name: str, *, orientation: int = 6) -> bytes:
    """A picture that tells a secret wherever Pillow can put it."""
    everywhere = {ExifTags.Base.Make: f"workflow:{SECRET}", ExifTags.Base.Orientation: orientation}
    options: dict[str, Any] = {
        "exif": exif_of_pillow(everywhere, b"UNICODE\0" + SECRET.encode("utf-16-le") + SECRET.encode()),
        "icc_profile": PROFILE,
    }
    if format_name == "PNG":
        pnginfo = PngImagePlugin.PngInfo()
        pnginfo.add_text("parameters", SECRET)
        pnginfo.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET}</x:xmpmeta>")
        pnginfo.add(b"prIv", SECRET.encode())
        return saved("PNG", pnginfo=pnginfo, dpi=(72, 72), **options) + SECRET.encode()
    options |= {"xmp": f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()}
    if format_name == "JPEG":
        data = saved("JPEG", comment=SECRET, dpi=(72, 72), progressive=True, **options)
        iptc = b"Photoshop 3.0\0" + SECRET.encode()
        between_scans = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
        spoken = b"\xff\xfe" + struct.pack(">H", len(iptc) + 2) + iptc
        data = data[:between_scans] + spoken + data[between_scans:]
        return data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:] + SECRET.encode()
    data = saved("WEBP", lossless=True, **options)
    private = b"priv" + struct.pack("<I", len(SECRET)) + SECRET.encode() + bytes(len(SECRET) % 2)
    return b"RIFF" + struct.pack("<I", len(data) - 8 + len(private)) + data[8:] + private + SECRET.encode()


# --- reading ---


def test_what_comfyui_writes_into_a_png_is_read() -> None:
    found = files.read(COMFYUI)
    assert json.loads(found.graph_json)["3"]["inputs"]["seed"] == 345852
    assert json.loads(found.ui_json) == {"id": "wf-1", "nodes": [], "links": []}
    assert found.parameters == ""


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_what_comfyui_writes_into_exif_is_read(format_name: str) -> None:
    tags = {ExifTags.Base.Model: f"prompt:{json.dumps(GRAPH)}", ExifTags.Base.Make: 'workflow:{"nodes": []}'}
    found = files.read(saved(format_name, exif=exif_of_pillow(tags)))
    assert found == Embedded(graph_json=json.dumps(GRAPH), ui_json='{"nodes": []}')


@pytest.mark.parametrize("zip_them", [False, True])
@pytest.mark.parametrize("text", [TEXT, ABROAD, TEXT.replace("cat", "café")])
def test_what_a1111_writes_into_a_png_is_read(text: str, *, zip_them: bool) -> None:
    assert files.read(with_texts(("parameters", text), zip_them=zip_them)).parameters == text


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("text", [TEXT, ABROAD])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-16"])
def test_what_a1111_writes_into_exif_is_read(format_name: str, text: str, encoding: str) -> None:
    data = saved(format_name, exif=exif_of_pillow({}, b"UNICODE\0" + text.encode(encoding)))
    assert files.read(data).parameters == text


@pytest.mark.parametrize("code", [b"ASCII\0\0\0", bytes(8)])
def test_comments_in_other_codes_are_read(code: bytes) -> None:
    assert files.read(saved("JPEG", exif=exif_of_pillow({}, code + TEXT.encode()))).parameters == TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        saved("GIF"),
        saved("PNG"),
        with_texts(("parameters", "what another program says"), ("prompt", "a cat"), ("workflow", "[1]")),
        with_texts(("prompt", '{"a":' * 100_000)),
        with_texts(("Prompt", '{"a": 1}')),
        saved("JPEG", exif=exif_of_pillow({ExifTags.Base.Make: "Camera: 7"}, b"ASCII\0\0\0a photo")),
    ],
)
def test_what_is_neither_is_nothing(data: bytes) -> None:
    assert files.read(data) == Embedded()


def test_what_python_only_calls_a_number_becomes_json() -> None:
    data = with_texts(("prompt", '{"3": {"is_changed": [NaN, -Infinity], "seed": 18446744073709551615}}'))
    assert files.read(data).graph_json == '{"3": {"is_changed": [null, null], "seed": 18446744073709551615}}'


@pytest.mark.parametrize("packed", [zlib.compress(b"{" + bytes(files.MAX_TEXT_BYTES)), b"not packed"])
def test_what_unpacks_to_much_or_not_at_all_is_left_out(packed: bytes) -> None:
    assert len(packed) < 20_000
    chunk = b"zTXt" + b"prompt\0\0" + packed
    bomb = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = COMFYUI[:33] + bomb + COMFYUI[33:]
    assert "KSampler" in files.read(data).graph_json


def test_no_more_is_unpacked_than_is_wanted() -> None:
    chunk = b"zTXt" + b"prompt\0\0" + zlib.compress(bytes(5 * files.MAX_TEXT_BYTES))
    bomb = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    tracemalloc.start()
    try:
        files.read(COMFYUI[:33] + bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * files.MAX_TEXT_BYTES


def test_what_stands_first_counts() -> None:
    comment = b"UNICODE\0" + ABROAD.encode("utf-16-le")
    pnginfo = PngImagePlugin.PngInfo()
    pnginfo.add_text("parameters", TEXT)
    data = saved("PNG", pnginfo=pnginfo, exif=exif_of_pillow({}, comment))
    assert data.index(b"parameters") < data.index(b"eXIf")
    assert files.read(data).parameters == TEXT


@given(st.binary(max_size=300), st.sampled_from(FORMATS), st.integers(0, 400), st.integers(0, 40))
def test_no_file_is_more_than_refused(junk: bytes, format_name: str, place: int, length: int) -> None:
    data = talkative(format_name)
    data = data[:place] + junk + data[place + length :]
    files.read(data)
    exif.orientation(junk)
    with suppress(UnreadableFile):
        files.strip(data)


def test_reading_stays_quick_however_files_lie() -> None:
    """Twenty seconds are what a test has."""
    endless = saved("JPEG")[:2] + b"\xff" * 2_000_000
    many = struct.pack(">2sHIH", b"MM", 42, 8, 65_535) + struct.pack(">HHII", 0x010F, 2, 4_000_000, 800_000) * 65_535
    crowd = COMFYUI[:33] + b"\0\0\0\0teSt\0\0\0\0" * 300_000
    scan = saved("JPEG")[:2] + b"\xff\xda\0\2" + b"\xff\0" * 2_000_000
    segments = saved("JPEG")[:2] + b"\xff\xfe\0\2" * 300_000
    chunks = b"RIFF" + struct.pack("<I", 4 + 8 * 300_000) + b"WEBP" + b"none\0\0\0\0" * 300_000
    for data in (endless, scan, segments, crowd, chunks):
        with pytest.raises(UnreadableFile):
            files.strip(data)
    assert files.read(crowd) == Embedded()
    told = list(exif.texts(many.ljust(800_000) + b"prompt:".ljust(4_000_000), ["prompt"], max_bytes=8_000_000))
    assert [(key, len(text)) for key, text in told] == [("prompt", 3_999_993)]


# --- taking out and writing ---


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_stripped_shows_the_same_and_tells_nothing(format_name: str) -> None:
    before = talkative(format_name)
    after = files.strip(before)
    assert SECRET.encode() in before
    assert SECRET.encode() not in after
    assert SECRET.encode("utf-16-le") not in after
    assert pixels(after) == pixels(before)
    assert info(after)["icc_profile"] == PROFILE
    assert exif_as_pillow_reads_it(after) == ({ExifTags.Base.Orientation: 6}, b"")
    assert info(after).keys() <= {"icc_profile", "exif", "dpi"} | {
        *("jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"),
        *("loop", "background", "timestamp", "duration"),
    }
    assert info(after).get("dpi") == info(before).get("dpi")
    assert files.strip(after) == after
    if format_name == "WEBP":
        assert after[20] & 0x0C == 0x08, "its head must say that there is EXIF, and no XMP"


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_picture_that_lies_straight_has_no_exif_left(format_name: str) -> None:
    after = files.strip(talkative(format_name, orientation=1))
    assert "exif" not in info(after)
    assert b"Exif" not in after
    assert b"EXIF" not in after


def test_the_graph_of_comfyui_is_taken_out() -> None:
    after = files.strip(COMFYUI)
    assert b"KSampler" not in after
    assert files.read(after) == Embedded()
    assert info(after) == {}


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_animations_stay_animations(format_name: str) -> None:
    frames = [painting(), painting().rotate(180)]
    options = {"save_all": True, "append_images": frames[1:], "duration": [70, 90], "loop": 3}
    if format_name == "WEBP":
        options |= {"lossless": True, "exif": exif_of_pillow({ExifTags.Base.Make: f"workflow:{SECRET}"})}
    before = saved(format_name, frames[0], **options)
    after = files.strip(before)
    assert pixels(after) == pixels(before)
    assert len(pixels(after)) == 2
    assert (info(after)["loop"], info(after)["duration"]) == (info(before)["loop"], info(before)["duration"])
    assert SECRET.encode() not in after


def test_what_frames_hold_besides_pixels_is_taken_out() -> None:
    frames = [painting(), painting().rotate(180)]
    before = saved("WEBP", frames[0], save_all=True, append_images=frames[1:], lossless=True)
    start = before.index(b"ANMF")
    (size,) = struct.unpack_from("<I", before, start + 4)
    told = b"priv" + struct.pack("<I", 10) + SECRET.encode() + b"!"
    frame = b"ANMF" + struct.pack("<I", size + 18) + before[start + 8 : start + 8 + size] + told
    whole = before[8:start] + frame + before[start + 8 + size :]
    after = files.strip(b"RIFF" + struct.pack("<I", len(whole)) + whole)
    assert SECRET.encode() in whole
    assert after == files.strip(before)


def test_of_a_phones_two_pictures_the_second_goes() -> None:
    before = saved("MPO", save_all=True, append_images=[painting().rotate(180)])
    assert len(pixels(before)) == 2
    after = files.strip(before)
    assert pixels(after) == pixels(before)[:1]
    with Image.open(io.BytesIO(after)) as image:
        assert image.format == "JPEG"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def test_the_thumbnail_of_a_jpeg_goes() -> None:
    with_one = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\3\1" + SECRET.encode())
    plain = saved("JPEG")
    end_of_head = 4 + struct.unpack_from(">H", plain, 4)[0]
    after = files.strip(plain[:2] + with_one + plain[end_of_head:])
    assert SECRET.encode() not in after
    assert after[2:20] == segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def test_of_several_orientations_the_first_counts() -> None:
    plain = saved("JPEG")
    turned = [segment(0xE1, exif.PREFIX + exif.write(orientation=each)) for each in (6, 3)]
    after = files.strip(plain[:2] + b"".join(turned) + plain[2:])
    assert exif_as_pillow_reads_it(after)[0] == {ExifTags.Base.Orientation: 6}


def test_how_a_jpegs_colours_are_coded_stays() -> None:
    before = saved("JPEG", painting(mode="RGBA").convert("CMYK"))
    assert b"Adobe" in before
    assert pixels(files.strip(before)) == pixels(before)


@pytest.mark.parametrize("text", [TEXT, ABROAD])
def test_a1111s_text_is_written_into_a_png(text: str) -> None:
    after = files.with_parameters(talkative("PNG"), text)
    assert info(after)["parameters"] == text
    assert (b"tEXtparameters" in after) is (text == TEXT)
    assert files.read(after) == Embedded(parameters=text)
    assert SECRET.encode() not in after


@pytest.mark.parametrize("text", [TEXT, ABROAD])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_a1111s_text_is_written_into_exif(format_name: str, text: str, orientation: int) -> None:
    before = talkative(format_name, orientation=orientation)
    after = files.with_parameters(before, text)
    tags, comment = exif_as_pillow_reads_it(after)
    assert comment == b"UNICODE\0" + text.encode("utf-16-be")
    assert tags.get(ExifTags.Base.Orientation, 1) == orientation
    assert pixels(after) == pixels(before)
    assert files.read(after) == Embedded(parameters=text)
    assert SECRET.encode() not in after


@pytest.mark.parametrize(
    ("mode", "options"), [("RGB", {}), ("RGB", {"lossless": True}), ("RGBA", {"lossless": True}), ("RGBA", {})]
)
def test_a_webp_without_a_head_gets_one(mode: str, options: dict[str, Any]) -> None:
    before = saved("WEBP", painting((35, 19), mode), **options)
    after = files.with_parameters(before, TEXT)
    assert pixels(after) == pixels(before)
    with Image.open(io.BytesIO(after)) as image:
        assert (image.size, image.mode) == ((35, 19), mode)
    assert files.read(after).parameters == TEXT
    assert files.strip(after).endswith(files.strip(before)[12:])


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_that_breaks_off_is_refused(format_name: str) -> None:
    data = files.strip(talkative(format_name))
    for end in (12, 20, len(data) // 2, len(data) - 3):
        with pytest.raises(UnreadableFile, match=r"breaks off|damaged"):
            files.strip(data[:end])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "PNG, WebP and JPEG only"),
        (saved("GIF"), "PNG, WebP and JPEG only"),
        (COMFYUI.replace(b"tEXt", b"TEXT", 1), "needs what is not known here: TEXT"),
        (saved("JPEG")[:2] + b"\xff\xf1\0\2" + saved("JPEG")[2:], "needs what is not known here"),
        (b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0", "damaged"),
        (b"RIFF\x07\0\0\0WEBPVP8", "damaged"),
        (b"RIFF\x0c\0\0\0WEBPVP8 \1\0\0\0", "damaged"),
        (b"RIFF\xff\0\0\0WEBP", "breaks off"),
    ],
)
def test_what_is_not_understood_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableFile, match=why):
        files.with_parameters(data, TEXT)


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="too long for a JPEG"):
        files.with_parameters(saved("JPEG"), TEXT + "a" * 40_000)
