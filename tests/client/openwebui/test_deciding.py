"""What is changed at Open WebUI, and what puts it back: pure."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_client.openwebui.choices import FILTER_ID, NO_KEY, Choices, Engine, desired
from imagegen_client.openwebui.items import (
    Change,
    Documents,
    by_section,
    changes_to,
    images_after,
    items_of,
    openai_after,
    tools_after,
)
from imagegen_client.openwebui.record import Record, moved, record_as_json, record_from_json, remember, undoing
from imagegen_client.openwebui.wording import by_hand, described, kept_secrets, summary
from tests.fakes.openwebui.state import IMAGES, OPENAI

GATEWAY = "http://gateway:8000"
TOOL_SERVER = {"url": "http://weather", "path": "openapi.json", "type": "openapi", "key": "sk-weather"}


def documents(**images: Any) -> Documents:
    return Documents(images={**IMAGES, **images}, openai=deepcopy(OPENAI), tools=[TOOL_SERVER], functions={})


def after(now: Documents, changes: list[Change]) -> Documents:
    """What the REST API says after the changes were made."""
    functions = dict(now.functions)
    for change in changes:
        if change.section == "filter" and change.becomes is None:
            functions.pop(FILTER_ID)
        elif change.section == "filter":
            functions[FILTER_ID] = change.becomes
    return Documents(
        images=images_after(now, changes),
        openai=openai_after(now, changes),
        tools=tools_after(now, changes),
        functions=functions,
    )


def install(now: Documents, choices: Choices, record: Record) -> tuple[Documents, Record, list[Change]]:
    current = items_of(now)
    wanted = desired(choices, current)
    changes = changes_to(current, {**moved(record, current, wanted), **wanted})
    return after(now, changes), remember(record, changes), changes


choices_of_any_kind = st.builds(
    Choices,
    gateway=st.sampled_from([GATEWAY, "http://other:1"]),
    key=st.sampled_from(["", "sk-gateway"]),
    chat=st.booleans(),
    images=st.none() | st.sampled_from(Engine),
    edits=st.booleans(),
    filter=st.sampled_from(["", "class Filter: pass", "class Filter: ..."]),
    tools=st.booleans(),
)


@given(st.lists(choices_of_any_kind, min_size=1, max_size=4))
def test_undoing_gives_back_exactly_what_was_there(installations: list[Choices]) -> None:
    before = documents(IMAGES_OPENAI_API_KEY="sk-somebody", IMAGE_GENERATION_MODEL="dall-e-3")
    now, record = before, Record()
    for choices in installations:
        now, record, _ = install(now, choices, record)
    changes, theirs = undoing(record_from_json(record_as_json(record)), items_of(now))
    assert theirs == []
    assert items_of(after(now, changes)) == items_of(before)


@given(choices_of_any_kind)
def test_installing_twice_changes_nothing(choices: Choices) -> None:
    now, record, _ = install(documents(), choices, Record())
    assert install(now, choices, record)[2] == []


def test_what_somebody_changed_since_is_left_alone() -> None:
    now, record, _ = install(documents(), Choices(gateway=GATEWAY, images=Engine.OPENAI, chat=True), Record())
    changed = Documents(
        images={**now.images, "IMAGE_GENERATION_MODEL": "gpt-image-1"},
        openai=now.openai,
        tools=now.tools,
        functions=now.functions,
    )
    changes, theirs = undoing(record, items_of(changed))
    assert theirs == ["images/IMAGE_GENERATION_MODEL"]
    assert "images/IMAGE_GENERATION_MODEL" not in {change.item for change in changes}


def test_installing_over_what_somebody_changed_takes_that_as_the_value_to_come_back_to() -> None:
    choices = Choices(gateway=GATEWAY, images=Engine.OPENAI)
    now, record, _ = install(documents(), choices, Record())
    now = after(now, [Change(item="images/IMAGE_GENERATION_ENGINE", was="openai", becomes="gemini")])
    now, record, _ = install(now, choices, record)
    back = after(now, undoing(record, items_of(now))[0])
    assert back.images["IMAGE_GENERATION_ENGINE"] == "gemini"


def test_a_change_that_was_written_down_but_not_made_is_nothing_to_undo() -> None:
    now = documents()
    _, record, _ = install(now, Choices(gateway=GATEWAY, images=Engine.OPENAI), Record())
    assert undoing(record, items_of(now)) == ([], [])


def test_a_gateway_at_another_address_takes_the_place_of_the_first() -> None:
    choices = Choices(gateway=GATEWAY, chat=True, tools=True)
    now, record, _ = install(documents(), choices, Record())
    now, _, _ = install(now, Choices(gateway="http://other:1", chat=True, tools=True), record)
    assert now.openai["OPENAI_API_BASE_URLS"] == ["https://api.openai.com/v1", "http://other:1/openai/v1"]
    assert [each["url"] for each in now.tools] == ["http://weather", "http://other:1/tools"]


def test_settings_that_an_old_installation_has_by_address_go_with_their_connection() -> None:
    now, _, _ = install(documents(), Choices(gateway=GATEWAY, chat=True), Record())
    configs = now.openai["OPENAI_API_CONFIGS"]
    assert configs["0"] == {"enable": True, "prefix_id": "oai"}
    assert configs["1"]["headers"]["X-Task"] == "{{TASK}}"


def test_what_an_admin_added_to_our_connection_is_kept() -> None:
    choices = Choices(gateway=GATEWAY, chat=True)
    now, record, _ = install(documents(), choices, Record())
    now.openai["OPENAI_API_CONFIGS"]["1"]["prefix_id"] = "pictures"
    now.openai["OPENAI_API_CONFIGS"]["1"]["headers"]["X-More"] = "1"
    assert install(now, choices, record)[2] == []


@pytest.mark.parametrize(
    ("engine", "fields"),
    [
        (
            Engine.OPENAI,
            {
                "IMAGES_OPENAI_API_BASE_URL": f"{GATEWAY}/openai/v1",
                "IMAGES_OPENAI_API_KEY": "sk-gateway",
                "IMAGES_OPENAI_API_PARAMS": {},
                "IMAGE_GENERATION_MODEL": "imagegen",
                "IMAGE_SIZE": "",
            },
        ),
        (
            Engine.AUTOMATIC1111,
            {"AUTOMATIC1111_BASE_URL": f"{GATEWAY}/a1111", "AUTOMATIC1111_API_AUTH": "imagegen:sk-gateway"},
        ),
        (
            Engine.COMFYUI,
            {"COMFYUI_BASE_URL": f"{GATEWAY}/comfyui", "COMFYUI_API_KEY": "sk-gateway", "IMAGE_GENERATION_MODEL": ""},
        ),
    ],
)
def test_an_engine_is_set_with_what_it_needs(engine: Engine, fields: dict[str, Any]) -> None:
    was = documents(IMAGE_SIZE="auto", IMAGE_GENERATION_MODEL="gpt-image-1", IMAGES_OPENAI_API_PARAMS={"quality": "hd"})
    now, _, _ = install(was, Choices(gateway=GATEWAY, key="sk-gateway", images=engine), Record())
    assert {name: now.images[name] for name in fields} == fields
    assert now.images["ENABLE_IMAGE_GENERATION"] is True
    assert now.images["IMAGE_GENERATION_ENGINE"] == engine


def test_a_model_that_an_admin_chose_for_our_engine_stays() -> None:
    choices = Choices(gateway=GATEWAY, images=Engine.OPENAI, edits=True)
    now, record, _ = install(documents(), choices, Record())
    chosen = after(now, [Change(item="images/IMAGE_GENERATION_MODEL", was="imagegen", becomes="sdxl")])
    assert install(chosen, choices, record)[2] == []


def test_without_a_key_the_page_of_open_webui_gets_something_to_save() -> None:
    now, _, _ = install(documents(), Choices(gateway=GATEWAY, images=Engine.OPENAI, edits=True), Record())
    assert now.images["IMAGES_OPENAI_API_KEY"] == now.images["IMAGES_EDIT_OPENAI_API_KEY"] == NO_KEY


@pytest.mark.parametrize(
    ("workflow", "count"), [(IMAGES["COMFYUI_WORKFLOW"], 7), ('{"6": {"class_type": "Other"}}', 0), ("", 0), ("[]", 0)]
)
def test_only_the_workflow_that_open_webui_brings_along_gets_its_inputs(workflow: str, count: int) -> None:
    now, _, _ = install(documents(COMFYUI_WORKFLOW=workflow), Choices(gateway=GATEWAY, images=Engine.COMFYUI), Record())
    assert len(now.images["COMFYUI_WORKFLOW_NODES"]) == count


@pytest.mark.parametrize(("engine", "by_owner"), [(Engine.OPENAI, True), (Engine.COMFYUI, False)])
def test_the_filter_asks_for_owners_where_the_engine_tells_them(engine: Engine, by_owner: bool) -> None:
    now, _, _ = install(documents(), Choices(gateway=GATEWAY, images=engine, filter="class Filter: ..."), Record())
    assert now.functions[FILTER_ID]["valves"] == {"gateway": GATEWAY, "key": "", "by_owner": by_owner}


def test_the_tool_server_gets_our_key_beside_the_token_of_the_user() -> None:
    now, _, _ = install(documents(), Choices(gateway=GATEWAY, key="sk-gateway", tools=True), Record())
    ours = now.tools[-1]
    assert ours["auth_type"] == "session"
    assert ours["headers"]["X-Api-Key"] == "sk-gateway"


def test_no_key_of_ours_is_kept_and_none_is_told() -> None:
    choices = Choices(
        gateway=GATEWAY, key="sk-gateway", chat=True, images=Engine.OPENAI, edits=True, filter="x", tools=True
    )
    _, record, changes = install(documents(IMAGES_OPENAI_API_KEY="sk-somebody"), choices, Record())
    assert "sk-gateway" not in str(record_as_json(record))
    assert kept_secrets(record) == ["key of the image engine openai"]
    told = [described(change, is_done=True) for _, own in by_section(changes) for change in own]
    assert not [line for line in told if "sk-" in line]
    assert "set key of the image engine openai: was set, is another" in told
    assert "set image generation: was off, is on" in told
    assert f"add chat connection {GATEWAY}/openai/v1" in told


def test_the_summary_says_what_is_set_up() -> None:
    choices = Choices(gateway=GATEWAY, chat=True, images=Engine.COMFYUI, edits=True, filter="x", tools=True)
    now, _, _ = install(documents(), choices, Record())
    assert summary(GATEWAY, items_of(now)) == [
        "chat models: yes",
        "image engine: yes, as comfyui",
        "image editing: yes",
        "live previews: yes",
        "tool server: yes",
    ]
    assert summary(GATEWAY, items_of(documents())) == [
        "chat models: no",
        "image engine: no, it is openai",
        "image editing: no",
        "live previews: no",
        "tool server: no",
    ]


def test_what_is_left_to_do_by_hand_depends_on_the_choices() -> None:
    usual = Choices(gateway=GATEWAY, images=Engine.OPENAI, filter="x")
    (note,) = by_hand(usual, users_told="no", url="http://chat")
    assert "ENABLE_FORWARD_USER_INFO_HEADERS" in note
    (note,) = by_hand(usual, users_told="signed", url="http://chat")
    assert "if not done yet" in note
    assert "openwebui_jwt_secret" in note
    assert by_hand(usual, users_told="plain", url="http://chat") == []
    (note,) = by_hand(Choices(gateway=GATEWAY, images=Engine.AUTOMATIC1111), users_told="no", url="http://chat")
    assert "only the image engine openai" in note
    assert "ENABLE_FORWARD_USER_INFO_HEADERS" not in note, "it would change nothing"
    (note,) = by_hand(Choices(gateway=GATEWAY, chat=True), users_told="", url="http://chat")
    assert "BYPASS_MODEL_ACCESS_CONTROL" in note
    acts_for_users, address = by_hand(Choices(gateway=GATEWAY, key="k", tools=True), users_told="", url="http://chat")
    assert "if not done yet" in acts_for_users
    assert "acts_for_users" in acts_for_users
    assert "if not done yet" in address
    assert "http://chat" in address
