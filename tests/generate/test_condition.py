import pytest

from armillary.errors import BadInput
from armillary.generate.condition import Roles


@pytest.mark.parametrize(
    ("want", "given", "said"),
    [
        (("s2",), ("s2",), "s2 is both given and wanted"),
        (("s3",), (), "s3 is no strand of this model"),
        ((), ("s2",), "nothing is wanted"),
    ],
)
def test_a_request_that_cannot_be_right_is_refused(want: tuple[str, ...], given: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Roles.asking(("s1", "s2"), want, given)


def test_roles_stand_in_the_order_of_the_network_whatever_the_order_of_the_request() -> None:
    one, two = (Roles.asking("abcd", want, given) for want, given in (("db", "a"), ("bd", "a")))
    assert one == two
    assert (one.strands, one.named("generate"), one.named("ignored")) == (("a", "b", "c", "d"), ("b", "d"), ("c",))


def test_ignored_strands_move_only_where_they_are_generated_jointly() -> None:
    assert Roles.asking("abc", "a", "b", "jointly").moving == ("a", "c")
    assert Roles.asking("abc", "a", "b").moving == ("a",)
