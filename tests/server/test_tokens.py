import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.tokens import MAX_EPOCH, InvalidPageToken, InvalidToken, TokenCodec

KEY = b"k" * 32
POSITIONS = st.integers(0, 2**64 - 1)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(POSITIONS, st.integers(0, MAX_EPOCH))
def test_a_token_names_its_position(position: int, epoch: int) -> None:
    codec = TokenCodec(KEY, epoch)
    assert codec.decode(codec.encode(position)) == position


@given(POSITIONS)
def test_a_token_is_short_and_safe_in_urls_and_headers(position: int) -> None:
    token = TokenCodec(KEY, 1).encode(position)
    assert len(token) == 36
    assert set(token) <= set(ALPHABET)


@given(POSITIONS)
def test_a_token_of_another_data_folder_is_stale_but_not_invalid(position: int) -> None:
    assert TokenCodec(b"other", 2).decode(TokenCodec(KEY, 1).encode(position)) is None


@given(POSITIONS, st.integers(0, 35), st.sampled_from(ALPHABET))
def test_a_token_with_any_character_changed_is_invalid(position: int, index: int, character: str) -> None:
    codec = TokenCodec(KEY, 1)
    token = codec.encode(position)
    changed = token[:index] + character + token[index + 1 :]
    if changed == token:
        assert codec.decode(changed) == position
        return
    with pytest.raises(InvalidToken):
        codec.decode(changed)


def test_a_token_signed_with_another_key_is_invalid() -> None:
    with pytest.raises(InvalidToken):
        TokenCodec(KEY, 1).decode(TokenCodec(b"other", 1).encode(5))


@given(st.text())
def test_garbage_is_invalid(text: str) -> None:
    with pytest.raises(InvalidToken):
        TokenCodec(KEY, 1).decode(text)


@pytest.mark.parametrize("text", ["", "ü", "A", "AAAA", "A" * 36, "earliest"])
def test_what_looks_like_a_token_is_invalid(text: str) -> None:
    with pytest.raises(InvalidToken):
        TokenCodec(KEY, 1).decode(text)


@given(st.integers(0, 2**64 - 1), st.text(max_size=50))
def test_a_page_token_goes_on_where_it_says(before: int, scope: str) -> None:
    codec = TokenCodec(KEY, 1)
    assert codec.decode_page(codec.encode_page(before, scope), scope) == before


def test_a_page_token_is_of_no_use_for_another_listing() -> None:
    codec = TokenCodec(KEY, 1)
    with pytest.raises(InvalidPageToken):
        codec.decode_page(codec.encode_page(7, "jobs"), "assets")


def test_a_resume_token_is_no_page_token() -> None:
    codec = TokenCodec(KEY, 1)
    with pytest.raises(InvalidPageToken):
        codec.decode_page(codec.encode(7))


@given(st.text())
def test_garbage_is_no_page_token(text: str) -> None:
    with pytest.raises(InvalidPageToken):
        TokenCodec(KEY, 1).decode_page(text)


def test_refusals_carry_their_reasons() -> None:
    assert InvalidToken().reason == "INVALID_RESUME_TOKEN"
    assert InvalidPageToken().reason == "INVALID_PAGE_TOKEN"
