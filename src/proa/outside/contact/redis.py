"""Redis and its kin: AUTH, PING. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/."""

from __future__ import annotations

from proa.outside.contact.link import Journey


def visit(journey: Journey) -> None:
    """Get in and ping. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    if target.password:
        words = ["AUTH", target.user, target.password.reveal()] if target.user else ["AUTH", target.password.reveal()]
        answer = _ask(journey, words)
        journey.enter("authentication")
        if answer != "+OK":
            raise journey.fault(answer[1:], _remedy(answer))
    else:
        answer = _ask(journey, ["PING"])
        journey.enter("authentication")
        if answer.startswith(("-NOAUTH", "-WRONGPASS")):
            raise journey.fault(answer[1:], "set the password in the address")
        journey.asked_for_nothing = True
    journey.enter("read")
    if target.database not in ("", "0"):
        _expect(journey, ["SELECT", target.database], "+OK")
    _expect(journey, ["PING"], "+PONG")


def _ask(journey: Journey, words: list[str]) -> str:
    encoded = [word.encode() for word in words]
    journey.send(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    answer = journey.line(4096).decode("utf-8", "replace")
    if not answer.startswith(("+", "-")):
        raise journey.fault("the answer is not Redis's")
    if answer.startswith("-DENIED"):
        raise journey.fault(answer[1:], "the server is in protected mode: set a password there, or bind it")
    return answer


def _expect(journey: Journey, words: list[str], wanted: str) -> None:
    answer = _ask(journey, words)
    if answer == wanted:
        return
    if answer.startswith("-NOPERM"):
        raise journey.fault(answer[1:], f"allow it: ACL SETUSER {journey.target.user or 'default'} +{words[0].lower()}")
    if answer.startswith("-LOADING"):
        raise journey.fault(answer[1:], "the server is loading its data: --wait 60s")
    if answer.startswith("+"):
        journey.layer = "protocol"
        raise journey.fault(f"{words[0]} was answered with something else: this is no Redis")
    raise journey.fault(answer[1:])


def _remedy(answer: str) -> str:
    if "without any password configured" in answer:
        return "the server has no password: leave it out of the address, or set requirepass there"
    return "set the user and password that ACL LIST on the server knows, and see that the user is on"
