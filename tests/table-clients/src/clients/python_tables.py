"""Does the ordinary work of a program on Table Storage, with azure-data-tables, or finds it again.

Arguments: the connection string, "work" or "find", a number, and for "find" what the work printed.
"""

import asyncio
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import (
    EdmType,
    EntityProperty,
    TableClient,
    TableServiceClient,
    TableTransactionError,
    UpdateMode,
    generate_table_sas,
)
from azure.data.tables.aio import TableClient as AsyncTableClient

ROWS = 60
GUID = uuid.UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


def refused(error, act):
    try:
        act()
    except error as thrown:
        return thrown
    raise AssertionError(f"not refused with {error.__name__}")


def work(connection, name):
    service = TableServiceClient.from_connection_string(connection)
    table = service.create_table(name)
    refused(ResourceExistsError, lambda: service.create_table(name))
    service.create_table_if_not_exists(name)
    found = [one.name for one in service.query_tables(f"TableName eq '{name}'")]
    assert found == [name], found

    keys = {"PartitionKey": "types", "RowKey": "it's a key, 100 %"}
    values = {
        "text": "Zoë 🎈",
        "whole": 7,
        "part": 7.0,
        "truth": True,
        "big": EntityProperty(2**53, EdmType.INT64),
        "at": AT,
        "id": GUID,
        "data": b"\x00\x01\xfe\xff",
    }
    table.create_entity({**keys, **values})
    refused(ResourceExistsError, lambda: table.create_entity(keys))
    read = table.get_entity(**{"partition_key": keys["PartitionKey"], "row_key": keys["RowKey"]})
    for key, value in values.items():
        assert read[key] == value, (key, read[key], value)
    tag = read.metadata["etag"]
    table.update_entity(
        {**keys, "text": "merged"},
        mode=UpdateMode.MERGE,
        etag=tag,
        match_condition=MatchConditions.IfNotModified,
    )
    refused(
        ResourceModifiedError,
        lambda: table.update_entity(
            {**keys, "text": "late"},
            mode=UpdateMode.REPLACE,
            etag=tag,
            match_condition=MatchConditions.IfNotModified,
        ),
    )
    table.upsert_entity({"PartitionKey": "types", "RowKey": "other", "n": 1})
    table.delete_entity("types", "other")
    refused(ResourceNotFoundError, lambda: table.get_entity("types", "other"))

    rows = [
        ("upsert", {"PartitionKey": "many", "RowKey": f"{row:03}", "row": row}) for row in range(ROWS)
    ]
    assert len(table.submit_transaction(rows)) == ROWS
    thrown = refused(
        TableTransactionError,
        lambda: table.submit_transaction(
            [
                ("upsert", {"PartitionKey": "many", "RowKey": "new"}),
                ("create", {"PartitionKey": "many", "RowKey": "001"}),
            ]
        ),
    )
    assert thrown.index == 1 and thrown.error_code == "EntityAlreadyExists", thrown

    pages = table.query_entities(
        "PartitionKey eq @pk and row ge @least",
        parameters={"pk": "many", "least": 10},
        results_per_page=20,
        select=["RowKey", "row"],
    ).by_page()
    found = [[row["row"] for row in page] for page in pages]
    assert [row for page in found for row in page] == list(range(10, ROWS)), found
    assert len(found[0]) == 20, found

    asyncio.run(work_at_once(connection, name))
    work_signed(table, name)
    return {"etag": table.get_entity("types", keys["RowKey"]).metadata["etag"]}


async def work_at_once(connection, name):
    async with AsyncTableClient.from_connection_string(connection, name) as table:
        await asyncio.gather(
            *(
                table.upsert_entity({"PartitionKey": f"async{row % 3}", "RowKey": f"{row}"})
                for row in range(12)
            )
        )
        found = [row async for row in table.query_entities("PartitionKey ge 'async' and PartitionKey lt 'b'")]
        assert len(found) == 12, found


def work_signed(table, name):
    sas = generate_table_sas(
        table.credential,
        name,
        permission="r",
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
        start_pk="many",
        end_pk="many",
    )
    endpoint = table.url.split(f"/{name}")[0]
    with TableClient(endpoint, name, credential=AzureSasCredential(sas)) as reader:
        assert reader.get_entity("many", "001")["row"] == 1
        thrown = refused(
            HttpResponseError,
            lambda: reader.upsert_entity({"PartitionKey": "many", "RowKey": "x"}),
        )
        assert thrown.status_code == 403, thrown


def find(connection, name, facts):
    table = TableClient.from_connection_string(connection, name)
    row = table.get_entity("types", "it's a key, 100 %")
    assert row.metadata["etag"] == facts["etag"], (row.metadata, facts)
    assert row["text"] == "merged" and row["big"].value == 2**53, row
    assert len(list(table.query_entities("PartitionKey eq 'many'"))) == ROWS
    refused(ResourceNotFoundError, lambda: table.get_entity("many", "new"))
    return {}


def main():
    connection, what, number, *facts = sys.argv[1:]
    name = f"Python{number}"
    done = work(connection, name) if what == "work" else find(connection, name, json.loads(facts[0]))
    print(json.dumps(done))


main()
