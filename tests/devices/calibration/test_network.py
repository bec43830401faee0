"""Networks as they are described: shapes follow from the layers."""

from __future__ import annotations

from edgevit.devices.calibration.network import Builder


def test_shapes_follow_from_the_layers() -> None:
    b = Builder()
    x = b.conv(b.input(33), 8, 3, 2, "relu")
    assert b.shape(x) == (8, 17, 17)
    depthwise = b.conv(x, 8, 3, groups=0)
    assert b.layers[depthwise].groups == 8
    tokens = b.tokens(depthwise)
    assert b.shape(tokens) == (1, 289, 8)
    assert b.shape(b.linear(tokens, 24)) == (1, 289, 24)
    back = b.as_map(b.attention(tokens, 2))
    assert b.shape(back) == (8, 17, 17)
    assert b.shape(b.concat(x, back)) == (16, 17, 17)
    assert b.shape(b.classify(back, 5)) == (1, 5)
    network = b.network("small")
    assert network.attends and network.read(network.layers[x]) == (3, 33, 33)


def test_attention_to_other_tokens_keeps_those_that_ask() -> None:
    b = Builder()
    tokens = b.tokens(b.conv(b.input(16), 8, 2, 2))
    fewer = b.tokens(b.conv(b.as_map(tokens), 8, 4, 4))
    assert (b.shape(tokens), b.shape(fewer)) == ((1, 64, 8), (1, 4, 8))
    attended = b.attention(tokens, 2, of=fewer)
    assert b.shape(attended) == (1, 64, 8) and b.layers[attended].inputs == (tokens, fewer)


def test_what_is_made_of_tokens_is_tokens_until_it_is_a_map() -> None:
    b = Builder()
    tokens = b.tokens(b.input(4))
    windows = b.transpose(b.reshape(tokens, (4, 4, 3)), (1, 0, 2))
    assert [b.layers[x].tokens for x in (0, tokens, b.norm(windows), b.as_map(windows))] == [False, True, True, False]
    assert not Builder().network("none").attends
