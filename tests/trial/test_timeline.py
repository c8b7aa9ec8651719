"""Steps and findings of a start, from what a trace shows."""

from __future__ import annotations

from proa.outside.inittrace import PackageInit
from proa.outside.start_trace import Event, Seen
from proa.records.startup import Startup, Step
from proa.trial.delays import delays
from proa.trial.timeline import View, steps_of

VIEW = View(
    command="node src/server.js",
    folder="/srv/shop",
    services={"db:5432": "DATABASE_URL", "127.0.0.1:6379": "REDIS_URL"},
    hosts={"10.0.0.5": "db"},
    route="/health",
)


def event(kind, at_s, what="", *, ended_s=None, error="", peer="") -> Event:
    return Event(kind=kind, at_s=at_s, ended_s=ended_s, what=what, error=error, peer=peer)


def steps(*events: Event, view: View = VIEW, inits=()) -> list[Step]:
    return list(steps_of(Seen(has_started=True, events=events), view, inits=inits))[1:]


def texts(*events: Event, view: View = VIEW) -> list[str]:
    return [one.step for one in steps(*events, view=view)]


def findings(*events: Event, view: View = VIEW, inits=(), **more) -> list[tuple[str, str]]:
    start = Startup(steps=steps_of(Seen(has_started=True, events=events), view, inits=inits))
    return [(one.id, one.message) for one in delays(start, events, view, **more)]


def test_the_articles_flow_is_shown_in_its_order():
    shown = steps(
        event("open", 0.10, "/srv/shop/src/server.js"),
        event("open", 0.11, "/srv/shop/node_modules/express/index.js"),
        event("open", 0.15, "/srv/shop/node_modules/pg/lib/index.js"),
        event("open", 0.16, "/srv/shop/config/index.js"),
        event("open", 0.17, "/srv/shop/.env"),
        event("open", 0.18, "/srv/shop/src/routes/orders.js"),
        event("resolve", 0.20, "db", ended_s=0.21),
        event("connect", 0.21, "10.0.0.5:5432", ended_s=0.22),
        event("listen", 0.30, "0.0.0.0:3000"),
        event("answer", 0.33, "200"),
    )
    assert [(one.kind, one.step) for one in shown] == [
        ("load", "load src (1 file)"),
        ("load", "load node_modules (2 files)"),
        ("configuration", "read config/index.js"),
        ("environment", "read .env"),
        ("load", "load src/routes (1 file)"),
        ("resolve", "look up db"),
        ("connect", "connect to DATABASE_URL (db:5432)"),
        ("listen", "listen on 0.0.0.0:3000"),
        ("ready", "GET /health answered 200"),
    ]
    assert shown[1].duration_s == 0.04
    assert shown[6].duration_s == 0.01


def test_a_pool_is_its_first_connection_and_how_many_followed():
    shown = steps(*(event("connect", 0.1 + place / 100, "127.0.0.1:6379", ended_s=0.2) for place in range(5)))
    assert [one.step for one in shown] == [
        "connect to REDIS_URL (127.0.0.1:6379)",
        "4 further connections to REDIS_URL (127.0.0.1:6379)",
    ]


def test_retries_and_the_connection_that_came_of_them_are_apart_and_in_words():
    shown = steps(
        *(event("connect", place, "127.0.0.1:6379", ended_s=place + 0.01, error="ECONNREFUSED") for place in (1, 2, 3)),
        event("connect", 4, "127.0.0.1:6379", ended_s=4.01),
    )
    assert [(one.step, one.has_failed, one.message) for one in shown] == [
        ("connect to REDIS_URL (127.0.0.1:6379)", True, "connection refused (ECONNREFUSED)"),
        ("2 further attempts to REDIS_URL (127.0.0.1:6379)", True, "connection refused (ECONNREFUSED)"),
        ("connect to REDIS_URL (127.0.0.1:6379)", False, ""),
    ]


def test_what_happens_after_the_first_good_answer_is_not_its_start():
    assert texts(event("answer", 1, "200"), event("connect", 2, "10.0.0.5:5432", ended_s=3)) == [
        "GET /health answered 200"
    ]


def test_being_asked_to_stop_is_no_end_of_its_own():
    events = (event("listen", 1, "0.0.0.0:80"), event("exit", 2, "0"))
    assert texts(*events, view=View(command="x", until_s=1.5)) == ["listen on 0.0.0.0:80"]
    assert texts(*events, view=View(command="x", has_ended=True))[-1] == "ended with 0"


def test_answers_that_say_not_yet_are_counted_and_a_route_that_is_not_there_is_not():
    shown = texts(
        event("answer", 1, "503"), event("answer", 2, "503"), event("answer", 3, "404"), event("answer", 4, "200")
    )
    assert shown == ["answered 503 2 times", "GET /health answered 200"]


def test_changes_of_tables_are_one_step_for_each_service():
    shown = texts(
        event("query", 1, "CREATE TABLE a", peer="10.0.0.5:5432"),
        event("query", 2, "ALTER TABLE a", peer="10.0.0.5:5432"),
        event("open", 0.5, "/srv/shop/db/migrations/001.sql"),
    )
    assert shown == ["open migrations in db/migrations (1 file)", "change DATABASE_URL: CREATE TABLE a, ALTER TABLE a"]


def test_variables_are_named_and_never_their_values_and_it_is_said_that_their_use_is_not_seen():
    first = steps(view=View(command="x", variables=("DATABASE_URL",)))[0]
    assert (first.kind, first.what, first.at_s) == ("environment", "DATABASE_URL", 0.0)
    assert "cannot be seen" in first.message


def test_packages_of_go_that_take_no_time_are_one_step():
    inits = [
        PackageInit(package=f"p{n}", at_s=n / 1e6, duration_s=1e-7, allocated_bytes=16, allocations=1) for n in range(9)
    ]
    inits.append(PackageInit(package="slow", at_s=1e-3, duration_s=0.05, allocated_bytes=99, allocations=1))
    shown = steps(inits=tuple(inits))
    assert [(one.step, one.allocated_bytes) for one in shown] == [
        ("initialise 9 other packages", 144),
        ("initialise slow", 99),
    ]


def test_a_slow_package_is_told():
    slow = (PackageInit(package="main", at_s=0.0, duration_s=0.05, allocated_bytes=0, allocations=0),)
    assert findings(event("answer", 0.07, "200"), inits=slow)[0] == (
        "start.slow-init",
        "package main takes 50 ms before main begins",
    )


def test_connections_one_after_another_are_told_and_those_at_once_are_not():
    def pair(second_s: float) -> list[str]:
        return [
            one[0]
            for one in findings(
                event("connect", 0.1, "10.0.0.5:5432", ended_s=0.3),
                event("connect", second_s, "127.0.0.1:6379", ended_s=second_s + 0.2),
                event("answer", 0.6, "200"),
            )
        ]

    assert "start.serial-connections" in pair(0.31)
    assert "start.serial-connections" not in pair(0.11)


def test_a_name_server_that_takes_seconds_is_told():
    found = findings(event("resolve", 0.1, "db", ended_s=5.1), event("answer", 5.2, "200"))
    assert found == [("start.slow-name", "looking up db took 5.00 s")]


def test_what_is_tried_in_vain_is_told():
    tried = [event("connect", n, "127.0.0.1:6379", ended_s=n + 0.9, error="ECONNREFUSED") for n in (0, 1, 2)]
    assert ("start.retries", "REDIS_URL was tried 3 times in vain, for 2.90 s") in findings(*tried)


def test_a_big_file_is_told_with_its_size():
    found = findings(
        event("open", 0.01, "/srv/shop/model.bin"),
        event("answer", 0.02, "200"),
        sizes={"/srv/shop/model.bin": 90_000_000},
    )
    assert ("start.big-file", "it opens model.bin, 90 MB, before it is ready") in found


def test_a_gap_is_a_sleep_work_or_waiting_by_what_the_processor_did():
    gap = (event("open", 0.1, "/srv/shop/a.js"), event("listen", 1.1, "0.0.0.0:80"), event("answer", 1.11, "200"))
    asleep = event("sleep", 0.11, ended_s=1.09)
    assert [one[0] for one in findings(gap[0], asleep, *gap[1:])] == ["start.slept"]
    assert [one[0] for one in findings(*gap, times=[(0.1, 0.1), (1.1, 1.05)])] == ["start.computed"]
    assert [one[0] for one in findings(*gap, times=[(0.1, 0.1), (1.1, 0.15)])] == ["start.waited"]


def test_a_start_without_delays_has_no_findings():
    assert (
        findings(event("listen", 0.004, "0.0.0.0:80"), event("answer", 0.0041, "200"), view=View(command="x"))[1:] == []
    )


def test_the_time_of_a_slow_package_is_not_told_again_as_a_gap():
    slow = (PackageInit(package="main", at_s=0.0, duration_s=0.5, allocated_bytes=0, allocations=0),)
    events = (event("open", 0.01, "/sys/x"), event("open", 0.52, "/config.yaml"), event("answer", 0.53, "200"))
    assert [one[0] for one in findings(*events, inits=slow)] == ["start.slow-init"]
