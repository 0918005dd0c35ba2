"""How much the store keeps."""

from sqlalchemy import Connection, func, select

from imagegen_server.stores.model import Totals
from imagegen_server.stores.schema import assets, jobs


def get_totals(connection: Connection) -> Totals:
    count, size = connection.execute(select(func.count(), func.sum(assets.c.size_bytes)).select_from(assets)).one()
    remembered = connection.execute(select(func.count()).select_from(jobs)).scalar_one()
    return Totals(assets=count, assets_bytes=size or 0, jobs=remembered)
