"""The built page: what is sent, and in which form."""

import gzip

import aiohttp
import pytest

from imagegen_gateway.built_page import chosen_encoding


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", ""),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("zstd", ""),
        ("*", ""),
    ],
)
def test_the_smallest_form_that_a_browser_takes(accepted: str, expected: str) -> None:
    assert chosen_encoding(accepted, {"br": b"", "gzip": b""}) == expected


async def test_a_packed_file_unpacks_to_the_plain_one(http: aiohttp.ClientSession) -> None:
    async with http.get("/", headers={"Accept-Encoding": "identity"}) as response:
        plain = await response.read()
        assert "Content-Encoding" not in response.headers
    async with aiohttp.ClientSession(auto_decompress=False) as raw:
        url = str(response.url)
        async with raw.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            assert packed.headers["Vary"] == "Accept-Encoding"
            assert packed.headers["ETag"] != response.headers["ETag"]
            assert gzip.decompress(await packed.read()) == plain
        async with raw.get(url, headers={"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "br"}) as other:
            assert other.status == 200  # another form, another name


async def test_parts_that_are_named_by_content_are_kept_for_good(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as response:
        page = await response.text()
        assert response.headers["Cache-Control"] == "no-cache"
    part = "/assets/" + page.partition("/assets/")[2].partition('"')[0]
    async with http.get(part) as response:
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
    async with http.get("/assets/nothing.js") as response:
        assert response.status == 404
