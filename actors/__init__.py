"""The agents of the desk: thin engine actors over pure logic, each answering for one thing."""
