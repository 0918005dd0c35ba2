"""`imagegen keys`."""

from tests.client.conftest import Run, lines


def test_keys_are_made_listed_and_deleted(run: Run) -> None:
    made = run("keys", "create", "anna", "--admin")
    assert made.stdout == "secret-of-anna\n"  # alone, for `KEY=$(imagegen keys create anna)`
    assert "not shown again" in made.stderr
    chat = lines(run("keys", "create", "chat", "--owner", "everybody", "--acts-for-users", "--json"))
    assert chat[0]["secret"] == "secret-of-chat"
    assert chat[0]["key"]["acts_for_users"]
    for shown in (run("keys"), run("keys", "list")):
        anna, chat_row = (line.split() for line in shown.stdout.splitlines()[1:])
        assert (anna[:3], chat_row[:3]) == (["anna", "admin", "anna"], ["chat", "user", "everybody"])
        assert "secret" not in shown.output
    assert [line["key"]["name"] for line in lines(run("keys", "list", "--json"))] == ["anna", "chat"]
    assert run("keys", "delete", "anna").stdout == "anna deleted\n"
    assert lines(run("keys", "delete", "chat", "--json")) == [{"deleted": {"name": "chat"}}]
    assert run("keys", "delete", "chat").exit_code == 3
