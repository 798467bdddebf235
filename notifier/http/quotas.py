"""A tenant's quota as callers see it: 429 beyond it, and what is left of it in the headers of every answer.

Source: draft-ietf-httpapi-ratelimit-headers (``RateLimit-Policy: "tenant";q=100;w=60``, ``RateLimit: "tenant";r=42;t=7``)
and RFC 9110, 10.2.3 (Retry-After).
"""

import asyncio
import math

from aiohttp import web

from notifier.http.parts import CALLER, PARTS, QUOTA, READS, WAITED
from notifier.http.problems import Problem
from notifier.intake.quotas import Verdict


async def pay(request: web.Request, number: int) -> None:
    """Have the caller's tenant pay for `number` notifications; raises `Problem` ``rate_limited``, `Unavailable`."""
    quotas, tenant = request.app[PARTS].quotas, request[CALLER].tenant
    if not quotas.limits(tenant):
        return
    time = asyncio.get_running_loop().time
    began = time()
    verdict = await request.app[READS].run(
        quotas.take, tenant, number, request[CALLER].mode, waited=request[WAITED]
    )
    request[WAITED] += time() - began
    if verdict is None:
        return
    request[QUOTA] = headers = headers_of(verdict)
    if verdict.wait > 0:
        raise Problem(
            "rate_limited",
            f"the tenant's quota is {verdict.quota.number} notifications in {verdict.quota.seconds} s",
            headers={"Retry-After": str(math.ceil(verdict.wait)), **headers},
        )


def headers_of(verdict: Verdict) -> dict[str, str]:
    """What is allowed, and what is left of it; `t` is when all of it is there again."""
    return {
        "RateLimit-Policy": f'"tenant";q={verdict.quota.number};w={verdict.quota.seconds}',
        "RateLimit": f'"tenant";r={verdict.left};t={math.ceil(verdict.whole_in)}',
    }
