"""What a message costs to show, however it is made."""

import json

from clew.display.blocks import pretty


def test_deep_json_takes_no_more_room_than_it_has() -> None:
    for deep in ("[" * 900 + "0," * 20_000 + "0" + "]" * 900, '["]",' * 200 + "0" + "]" * 200):
        value = json.loads(deep)
        assert len(pretty(value)) < 2 * len(deep)


def test_long_json_stays_in_one_line_and_short_json_does_not() -> None:
    assert "\n" not in pretty([0] * 100_000)
    assert pretty({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
