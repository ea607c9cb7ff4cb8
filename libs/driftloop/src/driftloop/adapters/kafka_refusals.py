"""A connection that security ended, in one sentence: what was refused, by which setting, what to do."""

import ssl
from collections.abc import Iterator

from kafka.errors import IllegalSaslStateError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError

from driftloop.adapters.kafka_security import KafkaSecurity
from driftloop.errors import ConfigurationError

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL", "HTTP_REQUEST")
_DOWN = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def refusal(failure: BaseException, security: KafkaSecurity) -> str | None:
    """None: the broker was away or busy, and security had nothing to do with it."""
    for exc in _causes(failure):
        if isinstance(exc, ConfigurationError):
            return str(exc)
        if isinstance(exc, UnsupportedSaslMechanismError | IllegalSaslStateError):
            return (
                f"this port of the broker does not take {security.prefix}SASL_MECHANISM={security.mechanism} ({exc}): check it and the port"
            )
        if isinstance(exc, SaslAuthenticationFailedError):
            return _identity(exc, security)
        if isinstance(exc, ssl.SSLCertVerificationError):
            return _certificate(exc, security)
        if isinstance(exc, ssl.SSLError) and not isinstance(exc, _DOWN):
            return _handshake(exc, security)
    return None


def hint(failure: BaseException, security: KafkaSecurity) -> str:
    """What may be wrong when a broker hangs up without a word; nothing when there is none."""
    if "Handshake failed" in str(failure):
        return f"; if this port does not speak TLS, take another, or set {security.prefix}SECURITY_PROTOCOL otherwise"
    if not any(sign in str(failure) for sign in ("disconnected", "Invalid frame length")):  # the latter is TLS read as Kafka
        return ""
    if security.protocol == "SASL_SSL":
        return ""
    if security.protocol == "SSL":
        return f"; if it asks for an identity, set {security.prefix}SECURITY_PROTOCOL to SASL_SSL, or give a client certificate"
    return f"; if it asks for TLS or for an identity, set {security.prefix}SECURITY_PROTOCOL"


def _identity(exc: BaseException, security: KafkaSecurity) -> str:
    said = str(exc).rpartition("SaslAuthenticationFailedError: ")[2] or str(exc)
    if security.username is not None and security.password is not None:
        return (
            f"the broker refuses user {security.username!r} ({said}): check {security.prefix}USERNAME, "
            f"{security.password.setting}={security.password.path} and {security.prefix}SASL_MECHANISM={security.mechanism}"
        )
    source = "TOKEN_PROVIDER" if security.token_provider is not None else "OAUTH_CLIENT_ID and OAUTH_SCOPE"
    return f"the broker refuses the token ({said}): has it expired, or is it for another audience? It comes by {security.prefix}{source}"


def _certificate(exc: ssl.SSLCertVerificationError, security: KafkaSecurity) -> str:
    said = exc.verify_message
    if "expired" in said:
        return f"the broker's certificate has expired ({said}): renew it on the broker"
    if "mismatch" in said.lower():
        return f"the broker's certificate is for another host ({said}): name the host that it is for in {security.prefix}BOOTSTRAP"
    ca = security.ca_file or "the system's, because it is not set"
    return f"the broker's certificate is not signed by {security.prefix}CA_FILE={ca} ({said}): name the file of the CA that signed it"


def _handshake(exc: ssl.SSLError, security: KafkaSecurity) -> str:
    reason = exc.reason or str(exc)
    if reason in _NO_TLS:
        return f"the broker's port does not speak TLS ({reason}): check {security.prefix}SECURITY_PROTOCOL={security.protocol} and the port"
    if "ALERT" in reason:
        given = security.cert_file or "not set"
        return (
            f"the broker refuses the client's certificate ({reason}): check {security.prefix}CERT_FILE={given} and KEY_FILE, "
            "that it has not expired, and that the broker trusts who signed it"
        )
    return f"TLS fails ({reason}): check {security.prefix}SECURITY_PROTOCOL={security.protocol}, CA_FILE, CERT_FILE and KEY_FILE"


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The failure, what it wraps and what it came from."""
    seen: set[int] = set()
    waiting = [failure]
    while waiting:
        exc = waiting.pop(0)
        if id(exc) in seen:
            continue
        seen.add(id(exc))
        yield exc
        waiting += [found for found in (exc.__cause__, exc.__context__, *exc.args) if isinstance(found, BaseException)]
