"""POST /v1/keys: keys for credentials that may have them, and for nobody else."""

from __future__ import annotations

import base64

from auditstream.reference.gateway_secrets import hash_of
from auditstream.reference.owners import Credential, Tenant
from tests.support.gateways import ACME, SINCE, TestGateway, gateway, problem


def allow(gate: TestGateway) -> None:
    gate.facts.state(
        Tenant(tenant_id=ACME, name="Acme", contents="sealed", valid_from=SINCE),
        Credential(
            credential_id="acme-1",
            tenant_id=ACME,
            secret_hash=hash_of(gate.keys[ACME]),
            edge_keys=True,
            valid_from=SINCE,
        ),
    )
    gate.credentials.refresh()


async def test_a_credential_that_may_have_keys_gets_those_of_its_tenant() -> None:
    async with gateway() as gate:
        allow(gate)
        subject = "user-" + "a" * 26
        response = await gate.client.post("/v1/keys", json={"subjects": [{"subject": subject}]})

        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        found = response.json()
        assert (found["tenant_id"], found["keys"][0]["month"]) == (ACME, "2026-03")
        assert len(base64.b64decode(found["hmac_key"])) == 32


async def test_anybody_else_gets_none() -> None:
    async with gateway() as gate:
        problem(await gate.client.post("/v1/keys", json={}), 403, "not_allowed")
        allow(gate)
        problem(await gate.client.post("/v1/keys", json={"subjects": 1}), 422, "contract")
        problem(await gate.client.post("/v1/keys", content=b"{", headers=JSON), 400, "malformed")
        problem(await gate.client.post("/v1/keys", content=b"{}"), 415, "unsupported_type")
        refused = {"authorization": "Bearer nonsense"}
        problem(await gate.client.post("/v1/keys", json={}, headers=refused), 401, "unauthenticated")


JSON = {"content-type": "application/json"}
