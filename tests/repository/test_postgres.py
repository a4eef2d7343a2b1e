import sqlalchemy


def test_each_session_gets_an_empty_database_of_its_own(postgres_url):
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        (name,) = connection.exec_driver_sql("SELECT current_database()").one()
    engine.dispose()
    assert name.startswith("liuke_test_")
