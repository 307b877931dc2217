"""A moved endpoint inside the value of a property: its host and port are replaced, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.restore import EndpointMove
from shared.scalar.endpoint_text import NoPlaceForPort, moved, turned_back

OLD = "orders-db.c9akciq32.ap-northeast-1.rds.amazonaws.com"
NEW = "orders-db-r20261124t030014z.c9akciq32.ap-northeast-1.rds.amazonaws.com"
MOVE = EndpointMove(old=OLD, new=NEW)

URLS = [
    "jdbc:mysql://{}:3306/orders?useSSL=true&x=HOST",
    "jdbc:mysql://{}/",
    "jdbc:mysql://app:p%40ss@{}:3306/orders",
    "jdbc:mysql://app:p@ss@{}:3306/orders",
    "jdbc:mysql://address=(host={})(port=3306)(user=a)/orders",
    "jdbc:mysql://(host={},port=3306),(host=other,port=3307)/orders",
    "jdbc:mysql:loadbalance://other:3306,{}:3306/orders",
    "jdbc:mariadb:aurora//{}:3306/orders",
    "jdbc:postgresql://{}:5432/orders",
    "jdbc:postgresql://one:5432,{}:5432,two:5432/orders?targetServerType=primary",
    "jdbc:aws-wrapper:postgresql://{}:5432/orders?wrapperPlugins=failover",
    "jdbc:oracle:thin:@//{}:1521/ORCL",
    "jdbc:oracle:thin:@{}:1521:ORCL",
    "jdbc:oracle:thin:@{}:1521/ORCL",
    "jdbc:oracle:thin:scott/tiger@{}:1521:ORCL",
    "jdbc:oracle:thin:@tcps://{}:2484/ORCL",
    "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST={})(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=ORCL)))",
    "jdbc:sqlserver://{}:1433;databaseName=orders;encrypt=true",
    "jdbc:sqlserver://{}\\INSTANCE:1433;databaseName=orders",
    "jdbc:sqlserver://;serverName={};portNumber=1433;databaseName=orders",
    "jdbc:sqlserver://;serverName={};databaseName=orders;portNumber=1499",
    "https://{}:443/",
    "{}",
    "one, {} ,two",
    "{}:9042,one:9042",
]


@pytest.mark.parametrize("url", URLS)
def test_the_host_is_replaced_and_everything_else_stays_also_on_the_way_back(url: str) -> None:
    before, after = url.replace("{}", OLD), url.replace("{}", NEW)
    assert moved(before, [MOVE]) == after
    assert moved(after, [MOVE]) == after
    assert moved(after, turned_back([MOVE])) == before


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:mysql://other/orders",
        f"jdbc:mysql://replica.{OLD}/orders",
        f"jdbc:mysql://{OLD}.cn/orders",
        "jdbc:mysql://other/orders-db",
        "ap-northeast-1",
        "",
        "unresolved(${env:URL})",
        f"see {OLD} for more",
    ],
)
def test_what_only_looks_like_the_host_is_left_alone(url: str) -> None:
    assert moved(url, [MOVE, EndpointMove(old="orders-db", new=NEW)]) == url


def test_a_database_or_user_named_like_the_host_stays() -> None:
    move = EndpointMove(old="orders", new="restored")
    assert moved("jdbc:postgresql://orders:orders@orders:5432/orders?user=orders", [move]) == (
        "jdbc:postgresql://orders:orders@restored:5432/orders?user=orders"
    )


def test_names_of_hosts_know_no_case() -> None:
    assert moved(f"jdbc:mysql://{OLD.upper()}:3306/o", [MOVE]) == f"jdbc:mysql://{NEW}:3306/o"


def test_writer_and_reader_are_led_to_their_own() -> None:
    moves = [EndpointMove(old="o.cluster-x", new="n.cluster-x"), EndpointMove(old="o.cluster-ro-x", new="n.cluster-ro-x")]
    assert moved("jdbc:mysql://o.cluster-x,o.cluster-ro-x/d", moves) == "jdbc:mysql://n.cluster-x,n.cluster-ro-x/d"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("jdbc:mysql://db:3306/o", "jdbc:mysql://new:4406/o"),
        ("jdbc:mysql://db/o", "jdbc:mysql://new:4406/o"),
        ("jdbc:mysql://db:3307/o", "jdbc:mysql://db:3307/o"),
        ("jdbc:postgresql://db/o", "jdbc:postgresql://db/o"),
        ("jdbc:oracle:thin:@(ADDRESS=(HOST=db)(PORT=3306))", "jdbc:oracle:thin:@(ADDRESS=(HOST=new)(PORT=4406))"),
    ],
)
def test_ports_tell_two_databases_on_one_host_apart_and_move_with_the_host(before: str, after: str) -> None:
    assert moved(before, [EndpointMove(old="db", new="new", old_port=3306, new_port=4406)]) == after


def test_a_port_that_stays_is_not_written_where_none_was() -> None:
    move = EndpointMove(old="db", new="new", old_port=3306, new_port=3306)
    assert moved("jdbc:mysql://db/o", [move]) == "jdbc:mysql://new/o"
    assert moved("jdbc:oracle:thin:@(ADDRESS=(PORT=3306)(HOST=db))", [move]) == (
        "jdbc:oracle:thin:@(ADDRESS=(PORT=3306)(HOST=new))"
    )


def test_a_new_port_without_a_place_for_it_is_refused() -> None:
    move = EndpointMove(old="db", new="new", old_port=1521, new_port=1522)
    with pytest.raises(NoPlaceForPort, match="without a port, and the new port is 1522"):
        moved("jdbc:oracle:thin:@(ADDRESS=(PORT=1521)(HOST=db))", [move])


HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?(\.[a-z]{2,5}){0,3}", fullmatch=True)


@given(
    hosts=st.lists(HOSTS, min_size=2, max_size=5, unique=True),
    port=st.none() | st.integers(1, 65535),
    tail=st.text(alphabet="abc?=&;/.-", max_size=20),
)
def test_of_any_list_of_hosts_exactly_the_moved_one_changes(hosts: list[str], port: int | None, tail: str) -> None:
    new, *others = hosts
    suffix = "" if port is None else f":{port}"
    url = "jdbc:mysql://" + ",".join(host + suffix for host in others) + "/" + tail
    expected = "jdbc:mysql://" + ",".join(host + suffix for host in [new, *others[1:]]) + "/" + tail
    assert moved(url, [EndpointMove(old=others[0], new=new)]) == expected
