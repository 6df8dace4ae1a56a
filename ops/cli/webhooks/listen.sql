-- name: owner_of_demo
select id from auth.users where email = 'agent@example.com'
