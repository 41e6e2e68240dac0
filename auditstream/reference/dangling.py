"""Facts that name what nobody has registered: no error, as the other fact may come later, but a remark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditstream.reference.documents import Stated
from auditstream.reference.fact import Fact
from auditstream.reference.owners import Project, Tenant
from auditstream.reference.snapshot import Snapshot


def dangling(stated: Iterable[Stated], snapshot: Snapshot) -> Iterator[str]:
    """Yield a line for each document whose tenant or project is neither known nor among the documents."""
    documents = list(stated)
    facts = [each.fact for each in documents]
    tenants = set(snapshot.rows("tenant")["tenant_id"])
    tenants |= {fact.tenant_id for fact in facts if isinstance(fact, Tenant)}
    projects = set(snapshot.rows("project").select("tenant_id", "project_id").iter_rows())
    projects |= {(fact.tenant_id, fact.project_id) for fact in facts if isinstance(fact, Project)}
    for each in documents:
        where = f"{each.file}, document {each.document}"
        tenant, project = _named(each.fact, "tenant_id"), _named(each.fact, "project_id")
        if tenant and tenant not in tenants:
            yield f"{where}: tenant_id: no tenant {tenant!r} is known"
        elif project and (tenant, project) not in projects:
            yield f"{where}: project_id: no project {project!r} of tenant {tenant!r} is known"


def _named(fact: Fact, name: str) -> str:
    return str(getattr(fact, name, ""))
