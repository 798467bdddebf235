"""Where an error came from, for a log line: code only, since its text may hold what a caller sent."""


def places_of(error: BaseException) -> list[str]:
    """The places the error came through, innermost last: module, function, line."""
    places, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{step.tb_frame.f_globals.get('__name__')}:{code.co_name}:{step.tb_lineno}")
        step = step.tb_next
    return places[-12:]
