"""What a database error means: away, a clash worth another try, or data it can't hold."""

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

#: Serialization failure and deadlock: the same transaction may pass next time.
_CLASHES = frozenset({"40001", "40P01"})
_LOCK_TIMEOUT = "55P03"
_INSUFFICIENT_PRIVILEGE = "42501"


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five-character code, or "" (PostgreSQL documentation, Appendix A)."""
    return str(getattr(getattr(error, "orig", None), "pgcode", None) or "")


def is_clash(error: BaseException) -> bool:
    """Two transactions got in each other's way; another try is worth it at once."""
    return sqlstate(error) in _CLASHES


def is_lock_timeout(error: BaseException) -> bool:
    """Somebody else held a row or key for longer than `lock_timeout`."""
    return sqlstate(error) == _LOCK_TIMEOUT


def is_forbidden(error: BaseException) -> bool:
    """This user may not do that; for tables: it does not own them."""
    return sqlstate(error) == _INSUFFICIENT_PRIVILEGE


def is_data_fault(error: BaseException) -> bool:
    """The rows themselves can't be stored."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) or sqlstate(error)[:2] in {"22", "23"}
    # What the driver or a column's type refuses before it is sent: NUL, lone surrogates, wide numbers.
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, UnicodeError | OverflowError):
        return True
    return isinstance(cause, ValueError) and "NUL" in str(cause)


def is_disconnect(error: BaseException) -> bool:
    """The connection died; a new one may work."""
    return isinstance(error, DBAPIError) and bool(error.connection_invalidated)


def may_be_kept(error: BaseException) -> bool:
    """Whether a statement that commits itself may have been kept all the same: no answer came.

    An error that the server itself tells of has undone it, its farewell (57P01) too; what failed before it was sent
    never began.
    """
    return isinstance(error, DBAPIError) and not sqlstate(error)


def is_away(error: BaseException) -> bool:
    """Storage can't be used right now: no connection, no room, shutting down, too slow."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout | DBAPIError)
